"""Small folders of VisDrone files, for the tests of the metric."""

from __future__ import annotations

import json
from pathlib import Path

from pointkd.evaluation.visdrone import METRICS, Report


def row(
    x: float = 0,
    y: float = 0,
    w: float = 10,
    h: float = 10,
    score: float = 1,
    category: float = 4,
    result: bool = False,
) -> str:
    """Write a row, by default of a car."""
    end = '-1,-1' if result else '0,0'
    return ','.join(f'{value:.12g}' for value in (x, y, w, h, score, category)) + f',{end}\n'


def write(folder: Path, **files: str) -> Path:
    """Write STEM.txt files and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f'{name}.txt').write_text(text)
    return folder


def write_sizes(path: Path, *stems: str, size: tuple[float, float] = (100, 80)) -> Path:
    """Write image sizes, the same for all stems."""
    path.write_text(json.dumps({stem: list(size) for stem in stems}))
    return path


def worst_difference(report: Report, expected: Report) -> float:
    """Greatest difference of the seven numbers; None must meet None."""
    pairs = [(report[name], expected[name]) for name in METRICS]
    assert all((ours is None) == (theirs is None) for ours, theirs in pairs), pairs
    return max((abs(ours - theirs) for ours, theirs in pairs if ours is not None), default=0.0)
