"""Which samples make which batch, from any place in the run: the training data loader."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from mmengine.config import ConfigDict
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_dist_info
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Sampler

from pointkd.datasets.pasting import without_missing_planes
from pointkd.datasets.seeded import SampleKey
from pointkd.engine.reliability import Reliability
from pointkd.io.tree import dicts


class ResumableBatches(Sampler):
    """A batch sampler that starts anywhere in an epoch, without loading what it skips.

    It asks the sampler below for the same order as ever (an order depends on seed and epoch only) and passes over the
    first batches. What it yields are `SampleKey`s: a sample is told on which pass over the data it is drawn.

    Args:
        batches: batch sampler: has a `sampler` and yields lists of indices.
    """

    def __init__(self, batches: Any) -> None:
        self.batches = batches
        self.sampler = batches.sampler  # mmengine's hooks look for it
        self.epoch = 0
        self.skip = 0

    @property
    def endless(self) -> bool:
        """Whether the order never ends (mmengine's `InfiniteSampler` and its kin, which know no epochs)."""
        return isinstance(self.sampler, InfiniteSampler) or not hasattr(self.sampler, 'epoch')

    def start(self, epoch: int, skip: int) -> None:
        """Choose where the next iteration begins.

        Args:
            epoch: pass over the data set.
            skip: batches of it that were used already.
        """
        self.epoch, self.skip = epoch, skip
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        rank, world = get_dist_info()
        size, drawn = max(1, len(self.sampler.dataset)), 0
        for number, batch in enumerate(self.batches):
            places = [(drawn + place) * world + rank for place in range(len(batch))]
            drawn += len(batch)
            if number < self.skip:
                continue
            epochs = [self.epoch + (place // size if self.endless else 0) for place in places]
            yield [SampleKey(epoch, index) for epoch, index in zip(epochs, batch, strict=True)]

    def __len__(self) -> int:
        return len(self.batches)


def training_loader(config: Any, seed: int, reliability: Reliability, different_ranks: bool = False) -> DataLoader:
    """Build the training data loader of a config so that it can start anywhere and survives bad frames.

    Args:
        config: the `train_dataloader` block.
        seed: of the run: decides order and augmentation.
        reliability: what to do about bad frames.
        different_ranks: mmengine's `randomness.diff_rank_seed`.

    Returns:
        A loader whose `batch_sampler` is a `ResumableBatches`.
    """
    config = copy.deepcopy(ConfigDict(config))
    pasting = [block for _, block in dicts(config['dataset']) if {'sample_groups', 'info_path'} <= set(block)]
    for block in pasting:
        if block.setdefault('type', 'DataBaseSampler') == 'DataBaseSampler':
            block['type'] = 'FreshDataBaseSampler'
    robust = dict(type='RobustDataset', dataset=config['dataset'], nan_points=reliability.nan_points)
    config['dataset'] = dict(type='SeededDataset', dataset=robust, seed=seed)
    loader = Runner.build_dataloader(config, seed=seed, diff_rank_seed=different_ranks)
    if pasting:
        without_missing_planes(loader.dataset)
    return DataLoader(
        loader.dataset,
        batch_sampler=ResumableBatches(loader.batch_sampler),
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
    )
