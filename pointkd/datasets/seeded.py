"""Makes a training sample a function of (seed, epoch, index) alone, so that training can stop and go on anywhere."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.registry import DATASETS

from pointkd.core.seeds import derive_seed, seed_everything
from pointkd.datasets.wrapping import DatasetWrapper, transforms

logger = logging.getLogger(__name__)


class SampleKey(NamedTuple):
    """What a data loader asks for: which sample, and on which pass over the data set."""

    epoch: int
    sample: int


@DATASETS.register_module()
class SeededDataset(DatasetWrapper):
    """A data set whose augmentation depends on nothing but the seed, the epoch and the sample's index.

    Neither the worker that loads a sample nor what was loaded before matters. `random`, numpy and torch are seeded for
    each sample and left as they were. What remembers earlier samples is told to forget them: transforms, and samplers
    inside transforms, that have a method `shuffle` without arguments (`FreshDataBaseSampler`).

    Args:
        dataset: data set, or its config.
        seed: of the run.
    """

    def __init__(self, dataset: Any, seed: int = 0) -> None:
        super().__init__(dataset)
        self.seed = seed
        steps = list(transforms(self.dataset))
        parts: list[Any] = [*steps, *(getattr(step, 'db_sampler', None) for step in steps)]
        caching = sorted({type(step).__name__ for step in steps if hasattr(step, 'results_cache')})
        if caching:
            logger.warning('%s keep earlier samples: a resumed run will not be equal bit for bit', ', '.join(caching))
        self.shuffled = [part for part in parts if callable(getattr(part, 'shuffle', None))]

    def __getitem__(self, key: SampleKey | int) -> Any:
        epoch, index = key if isinstance(key, tuple) else SampleKey(0, int(key))
        with own_randomness(derive_seed(self.seed, 'sample', epoch, index)):
            for part in self.shuffled:
                part.shuffle()
            return self.dataset[index]


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Run a block on its own seed and leave the global random state of the CPU as it was."""
    python, numpy, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seed_everything(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(torch_state)
