"""The official AP of result files, at every set of overlaps that a data set asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pointkd.evaluation.kitti import evaluate_folders
from pointkd.report.results.parts import OFFICIAL, Dataset
from pointkd.report.results.records import METRICS

Metrics = dict[str, dict[str, dict[str, list[float | None]]]]


def score(dataset: Dataset, data: Path, results: Path, frames: list[str]) -> Metrics:
    """Return AP at 40 recall positions by overlaps, class and metric: easy, moderate, hard in percent.

    Args:
        dataset: the data set.
        data: its folder, as training reads it.
        results: folder of result files.
        frames: IDs of the evaluated frames.
    """
    return {name: _score(dataset, data, results, frames, overlaps) for name, overlaps in overlap_sets(dataset).items()}


def overlap_sets(dataset: Dataset) -> dict[str, Any]:
    """Return what `evaluate_folders` takes as `min_overlaps`, by name; the 2D boxes keep the official overlaps."""
    sets: dict[str, Any] = {OFFICIAL: None}
    for name, overlaps in dataset.overlaps.items():
        sets[name] = {class_: {'bev': value, '3d': value} for class_, value in overlaps.items()}
    return sets


def _score(
    dataset: Dataset, data: Path, results: Path, frames: list[str], overlaps: Any
) -> dict[str, dict[str, list[float | None]]]:
    """Return the APs at one set of overlaps."""
    report = evaluate_folders(data / 'training' / 'label_2', results, frames=frames, min_overlaps=overlaps)
    return {
        name: {metric: [_rounded(value) for value in report[name][metric]['AP40']] for metric in METRICS}
        for name in dataset.classes
    }


def _rounded(value: float | None) -> float | None:
    """Return a number with four decimals, None as it is."""
    return None if value is None else round(float(value), 4)
