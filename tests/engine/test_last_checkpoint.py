"""When `last.pth` is written, and how."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from pointkd.engine.last_checkpoint import LastCheckpointHook, at_update, link_over, remove_leftovers


class Run:
    """What the hook sees of a runner; notes the iterations at which it saved."""

    max_iters = 12
    epoch = 0

    def __init__(self, accumulate: int) -> None:
        self.layer = nn.Linear(1, 1)
        self.optim_wrapper = OptimWrapper(torch.optim.SGD(self.layer.parameters(), lr=0.1), accumulate)
        self.optim_wrapper.initialize_count_status(self.layer, 0, self.max_iters)
        self.work_dir = ''
        self.iter = 0
        self.saved: list[int] = []

    def gather_statistics(self) -> None:
        """Nothing to gather."""

    def save_checkpoint(self, folder: str, name: str, meta: dict[str, Any]) -> None:
        self.saved.append(meta['iter'])

    def train(self, hook: LastCheckpointHook) -> list[int]:
        """Run the hook over all iterations and return when it saved."""
        for iteration in range(self.max_iters):
            self.iter = iteration
            self.optim_wrapper.update_params(self.layer(torch.ones(1, 1)).sum())
            hook.after_train_iter(self, iteration)
        return self.saved


@pytest.mark.parametrize(
    ('accumulate', 'every', 'saved'),
    [
        (1, 5, [5, 10, 12]),
        (1, None, [12]),
        (4, 5, [8, 12]),  # due at 5 and 10, waits for the update
        (5, 5, [5, 10, 12]),  # the last iteration is an update
        (3, 1, [3, 6, 9, 12]),
    ],
)
def test_only_between_updates(accumulate: int, every: int | None, saved: list[int]) -> None:
    assert Run(accumulate).train(LastCheckpointHook(interval=-1, save_iterations=every)) == saved


def test_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)

    def tick() -> float:
        clock.now += 10.0
        return clock.now

    monkeypatch.setattr('time.monotonic', tick)
    saved = Run(1).train(LastCheckpointHook(interval=-1, save_minutes=0.5))
    assert len(saved) > 2
    assert saved[-1] == 12


def test_several_optimisers() -> None:
    one, two = Run(1).optim_wrapper, Run(2).optim_wrapper
    two._inner_count = 1
    assert at_update(one)
    assert not at_update({'a': one, 'b': two})


def test_second_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / 'epoch_1.pth', tmp_path / 'last.pth'
    source.write_text('new')
    target.write_text('old')
    link_over(source, target)
    assert os.path.samefile(source, target)

    def no_links(*names: Any) -> None:
        raise OSError('no links here')

    monkeypatch.setattr(os, 'link', no_links)
    link_over(source, target)
    assert target.read_text() == 'new'
    assert not os.path.samefile(source, target)


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / '.last.pth.123.tmp').write_text('half')
    (tmp_path / 'last.pth').write_text('whole')
    remove_leftovers(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ['last.pth']
