"""Ground-truth pasting (mmdet3d's `ObjectSample`) without a memory, and without demands that small data can't meet."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from mmdet3d.datasets.transforms.dbsampler import DataBaseSampler
from mmengine.registry import TRANSFORMS

from pointkd.datasets.wrapping import innermost, transforms

logger = logging.getLogger(__name__)


@TRANSFORMS.register_module()
class FreshDataBaseSampler(DataBaseSampler):
    """mmdet3d's database sampler (same arguments), dealt anew for each sample.

    mmdet3d deals objects like a deck of cards, so that what a frame gets depends on all frames before it. Here
    `shuffle` puts every card back: each object has the same chance in each frame. Classes of which the database has no
    object are left out, with a warning, where mmdet3d fails.
    """

    sample_classes: list[str]
    sample_max_nums: list[int]

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        empty = [name for name in self.sample_classes if not self.db_infos.get(name)]
        if empty:
            logger.warning('the object database has no %s after its filters: not pasted', ', '.join(empty))
        kept = [pair for pair in zip(self.sample_classes, self.sample_max_nums, strict=True) if pair[0] not in empty]
        self.sample_classes, self.sample_max_nums = [name for name, _ in kept], [count for _, count in kept]

    @staticmethod
    def filter_by_min_points(db_infos: dict[str, list], min_gt_points_dict: Mapping[str, int]) -> dict[str, list]:
        """Drop objects with too few points; a class that is not there has none."""
        present = {name: least for name, least in min_gt_points_dict.items() if name in db_infos}
        return DataBaseSampler.filter_by_min_points(db_infos, present)

    def shuffle(self) -> None:
        """Put all objects back and shuffle them with numpy's random state."""
        for deck in self.sampler_dict.values():
            deck._indices = np.random.permutation(len(deck._sampled_list))
            deck._idx = 0


def samplers(dataset: Any) -> list[FreshDataBaseSampler]:
    """Return the samplers that paste objects into a data set's clouds."""
    found = [getattr(step, 'db_sampler', None) for step in transforms(dataset)]
    return [sampler for sampler in found if isinstance(sampler, FreshDataBaseSampler)]


def without_missing_planes(dataset: Any) -> None:
    """Let `ObjectSample` paste at an object's own height where the data set knows no ground planes; say so once."""
    levelling = [step for step in transforms(dataset) if getattr(step, 'use_ground_plane', False)]
    if not levelling or all(leaf.get_data_info(0).get('plane') is not None for leaf in innermost(dataset) if len(leaf)):
        return
    logger.warning('the data set has no ground planes: objects are pasted at the height they were taken from')
    for step in levelling:
        step.use_ground_plane = False
