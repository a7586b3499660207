"""A training sample depends on (seed, epoch, index) and on nothing else."""

from __future__ import annotations

import pickle
import random
from typing import Any

import numpy as np
import pytest
import torch
from helpers.toy import ToyData

from pointkd.datasets.seeded import SampleKey, SeededDataset, own_randomness


def image(dataset: Any, epoch: int, index: int) -> torch.Tensor:
    """Return the image of one sample."""
    return dataset[SampleKey(epoch, index)]['inputs']


def test_order_and_history_do_not_matter() -> None:
    first, second = (SeededDataset(ToyData(size=5), seed=3) for _ in range(2))
    wanted = {(epoch, index): image(first, epoch, index) for epoch in range(2) for index in range(5)}
    for epoch, index in reversed(wanted):
        np.random.rand(7)
        random.random()
        assert torch.equal(image(second, epoch, index), wanted[epoch, index])


def test_seed_epoch_and_index_each_matter() -> None:
    dataset = SeededDataset(ToyData(size=5), seed=3)
    base = image(dataset, 0, 1)
    assert torch.equal(base, dataset[1]['inputs'])  # a plain index is a sample of the first pass
    assert not torch.equal(base, image(dataset, 1, 1))
    assert not torch.equal(base, image(dataset, 0, 2))
    assert not torch.equal(base, image(SeededDataset(ToyData(size=5), seed=4), 0, 1))


def test_global_random_state_is_left_alone() -> None:
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    SeededDataset(ToyData(size=5))[0]
    with pytest.raises(ValueError, match='inside'), own_randomness(1):
        raise ValueError('inside')
    assert states[0] == random.getstate()
    assert states[1] == np.random.get_state()[1].tolist()
    assert torch.equal(states[2], torch.get_rng_state())


def test_looks_like_the_data_set_inside() -> None:
    dataset = pickle.loads(pickle.dumps(SeededDataset(dict(type='ToyData', size=5))))
    assert len(dataset) == 5
    assert dataset.metainfo == {'classes': ('toy',)}
    assert dataset.get_data_info(2)['img_path'] == 'frame_2.png'
    with pytest.raises(AttributeError):
        _ = dataset.nothing


def test_what_remembers_is_told_to_forget() -> None:
    class Deck:
        """Deals the numbers below 5 until they are used up."""

        def __init__(self) -> None:
            self.cards: list[int] = []

        def shuffle(self) -> None:
            self.cards = np.random.permutation(5).tolist()

        def __call__(self, sample: Any) -> Any:
            return self.cards.pop()

    class Dealing(ToyData):
        """A data set with one transform."""

        def __init__(self) -> None:
            super().__init__(size=3)
            self.pipeline = type('Compose', (), {'transforms': [Deck()]})()

        def __getitem__(self, index: int) -> int:
            return self.pipeline.transforms[0](index)

    dataset = SeededDataset(Dealing())
    dealt = [dataset[index] for index in range(3)]
    assert dealt == [dataset[index] for index in range(3)]
    assert len({dataset[SampleKey(epoch, 0)] for epoch in range(30)}) == 5
