"""How a data set is prepared, tested and scored, one file a kind of data set."""

from __future__ import annotations

from pointkd.report.results.kinds.base import Kind
from pointkd.report.results.kinds.images import Images
from pointkd.report.results.kinds.kitti import Kitti
from pointkd.report.results.parts import IMAGES, KITTI, Dataset

KINDS: dict[str, Kind] = {KITTI: Kitti(), IMAGES: Images()}


def kind_of(dataset: Dataset) -> Kind:
    """Return the kind of a data set."""
    return KINDS[dataset.kind]


__all__ = ['KINDS', 'Kind', 'kind_of']
