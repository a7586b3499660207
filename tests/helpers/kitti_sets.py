"""Reading and comparing reference sets, for the tests of the KITTI metric."""

from __future__ import annotations

import tarfile
from pathlib import Path

from pointkd.evaluation.kitti import CLASSES, Report


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a .tar.gz of text files and return the folder."""
    with tarfile.open(archive) as content:
        content.extractall(folder, filter='data')
    return folder


def worst_difference(report: Report, expected: Report) -> float:
    """Greatest difference of AP over classes, metrics, forms and difficulties; not evaluated counts as 0."""
    return max(
        abs((ours or 0.0) - (theirs or 0.0))
        for name in CLASSES
        for metric, forms in expected[name].items()
        for form, values in forms.items()
        for ours, theirs in zip(report[name][metric][form], values, strict=True)
    )


def not_evaluated(report: Report) -> list[list[str]]:
    """Class and metric of the entries that are None."""
    return [
        [name, metric]
        for name in CLASSES
        for metric in report[name]
        if report[name][metric]['AP40'] == report[name][metric]['AP11'] == [None] * 3
    ]


def row(name: str, at: float = 0, height: float = 60, score: float | None = None, **fields: float) -> str:
    """Write a KITTI row: a car-sized box at place 0, 1, 2, ... side by side; any column can be given by name."""
    columns = {
        'truncation': 0, 'occlusion': 0, 'alpha': 0.1,
        'x1': 100 * at, 'y1': 100, 'x2': 100 * at + 60, 'y2': 100 + height,
        'h': 1.5, 'w': 1.6, 'l': 4, 'x': 10 * at, 'y': 1.7, 'z': 20, 'ry': 0.3,
    }  # fmt: skip
    if score is not None:
        columns |= {'truncation': -1, 'occlusion': -1, 'score': score}
    unknown = set(fields) - set(columns)
    assert not unknown, unknown
    return ' '.join([name, *(f'{value:.12g}' for value in (columns | fields).values())]) + '\n'


def write(folder: Path, **files: str) -> Path:
    """Write ID.txt files (`f000001='...'` is 000001.txt) and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f'{name.removeprefix("f")}.txt').write_text(text)
    return folder
