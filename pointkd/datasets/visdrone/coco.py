"""Labels of VisDrone as a COCO file, which mmdet trains on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pointkd.core.visdrone import (
    CATEGORIES,
    CATEGORY,
    COLUMNS,
    HEIGHT,
    IGNORED_REGION,
    OCCLUSION,
    OTHERS,
    SCORE,
    TRUNCATION,
    WIDTH,
)

IGNORED_CATEGORIES = (IGNORED_REGION, OTHERS)


@dataclass(frozen=True)
class LabelledImage:
    """An image with its labels.

    Attributes:
        file_name: path below the data root.
        size: width and height.
        rows: (N, 8) labels, columns as in the file.
        origin: for a slice of an image its left and top in it, else None.
    """

    file_name: str
    size: tuple[int, int]
    rows: np.ndarray
    origin: tuple[int, int] | None = None


def to_coco(images: Iterable[LabelledImage]) -> dict[str, Any]:
    """Return images and labels in COCO's form.

    Every row becomes an annotation, in the order of the file, so that nothing is lost: `category_id` is VisDrone's own
    (0 ignored regions, 1 to 10 the classes, 11 others), and `ignore` and `iscrowd` are 1 where the row is to be ignored
    (categories 0 and 11, and any row of score 0), `truncation` and `occlusion` are VisDrone's.
    """
    content: dict[str, Any] = {
        'images': [],
        'annotations': [],
        'categories': [{'id': number, 'name': name} for number, name in enumerate(CATEGORIES)],
    }
    for number, image in enumerate(images, start=1):
        width, height = image.size
        entry = {'id': number, 'file_name': image.file_name, 'width': width, 'height': height}
        if image.origin is not None:
            entry['origin'] = list(image.origin)
        content['images'].append(entry)
        first = len(content['annotations']) + 1
        content['annotations'] += [
            _annotation(row, first + place, number) for place, row in enumerate(image.rows.tolist())
        ]
    return content


def ignored(rows: np.ndarray) -> np.ndarray:
    """Return (N,) bool, which rows (N, 8) are to be ignored in training."""
    marked: np.ndarray = (rows[:, SCORE] == 0) | np.isin(rows[:, CATEGORY], IGNORED_CATEGORIES)
    return marked


def rows_of(annotations: Iterable[dict[str, Any]]) -> np.ndarray:
    """Return the rows (N, 8) that annotations were made from; the score is 0 where they are to be ignored."""
    rows = [
        [
            *annotation['bbox'],
            0.0 if annotation.get('ignore') or annotation.get('iscrowd') else 1.0,
            annotation['category_id'],
            annotation.get('truncation', 0),
            annotation.get('occlusion', 0),
        ]
        for annotation in annotations
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, COLUMNS)


def _annotation(row: list[float], number: int, image: int) -> dict[str, Any]:
    """Return one annotation; whole numbers are written as such."""
    box = [int(value) if value == int(value) else value for value in row[:SCORE]]
    ignore = int(row[SCORE] == 0 or row[CATEGORY] in IGNORED_CATEGORIES)
    return {
        'id': number,
        'image_id': image,
        'category_id': int(row[CATEGORY]),
        'bbox': box,
        'area': box[WIDTH] * box[HEIGHT],
        'iscrowd': ignore,
        'ignore': ignore,
        'truncation': int(row[TRUNCATION]),
        'occlusion': int(row[OCCLUSION]),
    }
