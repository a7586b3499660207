"""Keeps `last.pth` in the work folder: the point from which `--resume` goes on."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast, get_world_size, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS

LAST = 'last.pth'


@HOOKS.register_module()
class LastCheckpointHook(CheckpointHook):
    """mmengine's checkpoint hook (same arguments and files), which also keeps `last.pth`.

    `last.pth` is written after every epoch and every validation, and within an epoch by time or iterations; never
    between two updates of accumulated gradients, which no checkpoint holds: then the next update is waited for.

    Args:
        save_minutes: time between two writes within an epoch, None for never.
        save_iterations: iterations between two, None for never.
        settings: of mmengine's `CheckpointHook`.
    """

    def __init__(
        self, *args: Any, save_minutes: float | None = None, save_iterations: int | None = None, **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self.save_minutes, self.save_iterations = save_minutes, save_iterations
        self.due = False
        self.saved_at = time.monotonic()
        self.written: Path | None = None  # complete checkpoint that was written at this very point

    def before_train(self, runner: Any) -> None:
        """Start the clock."""
        super().before_train(runner)
        self.saved_at = time.monotonic()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Save where an interval is over."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        done = runner.iter + 1
        self.due |= self.written is not None or done == runner.max_iters or self._time_is_up()
        self.due |= self.save_iterations is not None and done % self.save_iterations == 0
        if self.due:
            self.write_last(runner, runner.epoch, done)

    def after_train_epoch(self, runner: Any) -> None:
        """Save the epoch."""
        super().after_train_epoch(runner)
        if self.by_epoch:
            self.write_last(runner, runner.epoch + 1, runner.iter)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Save the best, and that this validation is done."""
        super().after_val_epoch(runner, metrics or {})
        self.write_last(runner, runner.epoch, runner.iter)

    def write_last(self, runner: Any, epoch: int, iteration: int) -> None:
        """Write `last.pth` where no accumulated gradient is pending, else remember that it is due.

        Args:
            runner: the runner.
            epoch: epochs done.
            iteration: iterations done.
        """
        written, self.written = self.written, None
        self.due = not at_update(runner.optim_wrapper)
        if self.due:
            return
        self.saved_at = time.monotonic()
        if written is not None and get_world_size() == 1:
            link_over(written, Path(runner.work_dir) / LAST)
            return
        runner.gather_statistics()
        runner.save_checkpoint(runner.work_dir, LAST, meta={'epoch': epoch, 'iter': iteration})

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict[str, Any]) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        complete = self.save_optimizer and self.save_param_scheduler
        self.written = Path(self.last_ckpt) if complete and is_main_process() else None

    def _time_is_up(self) -> bool:
        """Return whether the minutes are over; the first process decides for all."""
        if self.save_minutes is None:
            return False
        over = (time.monotonic() - self.saved_at) / 60 >= self.save_minutes
        if get_world_size() > 1:
            decision = torch.tensor(over, dtype=torch.int32)
            broadcast(decision)
            return bool(decision)
        return over


def at_update(wrapper: Any) -> bool:
    """Return whether an optimiser wrapper holds no accumulated gradient after an iteration."""
    parts = wrapper.values() if hasattr(wrapper, 'values') else [wrapper]
    return all(part.should_update() for part in parts)


def link_over(source: Path, target: Path) -> None:
    """Let a second name stand for a written file, atomically; a copy where the file system has no links."""
    temporary = target.with_name(f'.{target.name}.{os.getpid()}.tmp')
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copyfile(source, temporary)
    os.replace(temporary, target)


def remove_leftovers(work_dir: str | Path) -> None:
    """Delete temporary files of checkpoints whose writing was cut short."""
    for file in Path(work_dir).glob('.*.pth.*.tmp'):
        file.unlink(missing_ok=True)
