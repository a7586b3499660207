"""The annotation of a split as one COCO file, as mmdet's `CocoDataset` reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pointkd.datasets.synthetic_aerial.classes import CLASSES, IGNORED
from pointkd.datasets.synthetic_aerial.frame import Frame, read_rows
from pointkd.datasets.synthetic_aerial.labels import Row


def coco(root: Path, frames: Sequence[Frame], size: int) -> dict[str, list[dict[str, object]]]:
    """Return images, annotations and categories of some frames.

    Categories have VisDrone's numbers, 1 to 10. An ignored region is a crowd (`iscrowd` 1) of every class, since COCO
    knows crowds of one class only: ten rows with the same box. File names are relative to the root.
    """
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for number, frame in enumerate(frames):
        name = frame.image(root).relative_to(root).as_posix()
        images.append({'id': number, 'file_name': name, 'width': size, 'height': size})
        for row in read_rows(frame.annotation(root)):
            for category in range(1, len(CLASSES) + 1) if row.category == IGNORED else (row.category,):
                annotations.append(_annotation(row, category, number, len(annotations) + 1))
    categories: list[dict[str, object]] = [{'id': number, 'name': name} for number, name in enumerate(CLASSES, start=1)]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def _annotation(row: Row, category: int, image: int, number: int) -> dict[str, object]:
    """Return one annotation; truncation and occlusion travel along."""
    return {
        'id': number,
        'image_id': image,
        'category_id': category,
        'bbox': list(row.box),
        'area': row.box[2] * row.box[3],
        'iscrowd': int(row.category == IGNORED),
        'truncation': row.truncation,
        'occlusion': row.occlusion,
    }
