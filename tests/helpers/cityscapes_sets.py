"""Cityscapes folders for tests: unpacked reference sets, and images made up from arrays."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np

from pointkd.core.label_images import write_label_image
from pointkd.evaluation.cityscapes import Report

SETS = ('realistic', 'class_missing', 'small_instances', 'perfect', 'all_ignore')


def unpack(source: Path, folder: Path) -> Path:
    """Unpack a reference set: labels/ and results/ in the folder."""
    for name in ('labels', 'results'):
        with tarfile.open(source / f'{name}.tar.gz') as content:
            content.extractall(folder, filter='data')
    return folder


def worst_difference(found: Report | float | None, expected: Report | float | None) -> float:
    """Greatest difference over all keys of the expected report; infinite where one side only is undefined."""
    if isinstance(expected, dict):
        assert isinstance(found, dict)
        return max(worst_difference(found[key], value) for key, value in expected.items())
    if found is None or expected is None:
        return 0.0 if found is expected else float('inf')
    assert isinstance(found, float | int)
    return abs(found - expected)


def write_pair(
    folder: Path,
    stem: str,
    labels: np.ndarray,
    predictions: np.ndarray | None,
    instances: np.ndarray | None = None,
) -> None:
    """Write the files of one image below folder/labels and folder/results."""
    city = stem.partition('_')[0]
    write_label_image(folder / 'labels' / city / f'{stem}_gtFine_labelIds.png', labels)
    if predictions is not None:
        write_label_image(folder / 'results' / city / f'{stem}_leftImg8bit.png', predictions)
    if instances is not None:
        write_label_image(folder / 'labels' / city / f'{stem}_gtFine_instanceIds.png', instances)
