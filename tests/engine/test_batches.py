"""The training loader starts anywhere, with the same samples as if it had come there by itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from helpers.toy import ToyData
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import ConfigDict
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import BatchSampler

import pointkd.engine  # noqa: F401
from pointkd.datasets.seeded import SampleKey
from pointkd.engine.batches import ResumableBatches, training_loader
from pointkd.engine.reliability import Reliability


class Shapes(ToyData):
    """Images of two shapes, as mmdet's aspect ratio sampler asks for them."""

    def get_data_info(self, index: int) -> dict[str, Any]:
        return {'width': 2 if index % 3 else 1, 'height': 1.5}


def batches(kind: str, size: int = 11) -> ResumableBatches:
    """Return a fresh batch sampler of a kind."""
    data = Shapes(size=size)
    if kind == 'endless':
        return ResumableBatches(BatchSampler(InfiniteSampler(data, seed=3), 2, False))
    sampler = DefaultSampler(data, seed=3)
    if kind == 'shapes':
        from mmdet.datasets.samplers import AspectRatioBatchSampler

        return ResumableBatches(AspectRatioBatchSampler(sampler, 2))
    return ResumableBatches(BatchSampler(sampler, 2, False))


@pytest.mark.parametrize('kind', ['plain', 'shapes'])
@given(epoch=st.integers(0, 4), skip=st.integers(0, 6), size=st.integers(1, 13))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_skipping_equals_having_been_there(kind: str, epoch: int, skip: int, size: int) -> None:
    whole, tail = batches(kind, size), batches(kind, size)
    whole.start(epoch, 0)
    tail.start(epoch, skip)
    everything = list(whole)
    assert list(tail) == everything[skip:]
    assert sorted(key.sample for batch in everything for key in batch) == list(range(size))
    assert {key.epoch for batch in everything for key in batch} == {epoch}
    tail.start(epoch + 1, 0)
    assert {key.epoch for batch in tail for key in batch} == {epoch + 1}


@given(skip=st.integers(0, 40), size=st.integers(2, 13))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_endless_order_counts_its_passes(skip: int, size: int) -> None:
    whole, tail = batches('endless', size), batches('endless', size)
    whole.start(0, 0)
    tail.start(0, skip)
    everything = list(islice(whole, skip + 10))
    assert list(islice(tail, 10)) == everything[skip:]
    keys = [key for batch in everything for key in batch]
    assert [key.epoch for key in keys] == [place // size for place in range(len(keys))]
    assert whole.endless
    assert not batches('plain').endless


def test_ranks_draw_from_the_same_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_rank(rank: int) -> Iterator[list[SampleKey]]:
        for module in ('pointkd.engine.batches', 'mmengine.dataset.sampler'):
            monkeypatch.setattr(f'{module}.get_dist_info', lambda: (rank, 2))
        return iter(list(islice(batches('endless', 6), 6)))

    keys = [key for pair in zip(of_rank(0), of_rank(1), strict=True) for batch in pair for key in batch]
    for epoch in range(4):
        assert sorted(key.sample for key in keys if key.epoch == epoch) == list(range(6))


def test_loader_reads_nothing_that_it_skips() -> None:
    class Counting(ToyData):
        """Notes which samples were asked for."""

        asked: list[int]

        def __getitem__(self, index: int) -> dict[str, Any]:
            self.asked.append(index)
            return super().__getitem__(index)

    data = Counting(size=8)
    data.asked = []
    block = ConfigDict(batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False), dataset=data)
    loader = training_loader(block, 0, Reliability())
    data = loader.dataset.dataset.dataset
    loader.batch_sampler.start(0, 3)
    batch = next(iter(loader))
    assert data.asked == [6, 7]
    assert len(batch['inputs']) == 2


def test_config_is_not_changed() -> None:
    block = ConfigDict(
        batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler'), dataset=dict(type='ToyData', size=4)
    )
    text = str(block)
    training_loader(block, 0, Reliability())
    assert str(block) == text
