"""Training loops that stop anywhere and go on as if they had not.

They are mmengine's loops (same names for epochs, iterations, hooks) with three differences: data come from a loader
that can start within an epoch, every iteration has its own random seed, and a validation that a crash cut short is
run again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from mmengine.runner.base_loop import BaseLoop
from mmengine.runner.utils import calc_dynamic_intervals
from torch.utils.data import DataLoader

from pointkd.core.errors import CheckpointError
from pointkd.datasets.robust import REPORT
from pointkd.engine.batches import ResumableBatches, training_loader
from pointkd.engine.finite import FiniteGuard
from pointkd.engine.randomness import seed_step

VALIDATED = 'validated'  # in the message hub: the epoch (or iteration) whose validation is done


class _Resumable:
    """What both loops share; `runner`, `dataloader`, `_epoch`, `_iter` are mmengine's."""

    runner: Any
    dataloader: DataLoader
    val_begin: int
    val_interval: int
    _iter: int
    _max_iters: int
    optimiser: Any = None
    skipped_frames: list[dict[str, str]]

    @property
    def batches(self) -> ResumableBatches:
        """The batch sampler of the training loader."""
        return self.dataloader.batch_sampler  # type: ignore[return-value]

    def step(self, number: int, batch: Any) -> None:
        """Train on one batch.

        Args:
            number: of the batch as hooks count it (within the epoch, or of the run).
            batch: as the data loader gives it.
        """
        runner = self.runner
        seed_step(runner.seed, self._iter, runner.rank)
        self.skipped_frames = take_reports(batch)
        self.optimiser = self.optimiser or guarded(runner.optim_wrapper)
        runner.call_hook('before_train_iter', batch_idx=number, data_batch=batch)
        network = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if hasattr(network, 'set_progress'):
            network.set_progress(self._iter, self._max_iters)
        outputs = runner.model.train_step(batch, optim_wrapper=self.optimiser)
        runner.call_hook('after_train_iter', batch_idx=number, data_batch=batch, outputs=outputs)
        self._iter += 1

    def validate_if_due(self, done: int, end: int) -> None:
        """Run the validation that belongs to this point, unless a checkpoint says that it was run.

        Args:
            done: epochs (or iterations) done.
            end: of the whole run.
        """
        runner = self.runner
        if runner.val_loop is None or done < max(1, self.val_begin):
            return
        due = done % self.val_interval == 0 or done == end
        if due and runner.message_hub.runtime_info.get(VALIDATED) != done:
            runner.message_hub.update_info(VALIDATED, done)  # no checkpoint is written before it is true
            runner.val_loop.run()


def _loader(runner: Any, dataloader: Any) -> DataLoader:
    """Build the training loader of a run; one that is built already must be of our kind."""
    if isinstance(dataloader, DataLoader):
        return dataloader
    different = runner._randomness_cfg.get('diff_rank_seed', False)
    return training_loader(dataloader, runner.seed, runner.reliability, different)


@LOOPS.register_module()
class ResumableEpochLoop(_Resumable, EpochBasedTrainLoop):
    """mmengine's epoch loop, resumable within an epoch (arguments as there)."""

    def __init__(self, runner: Any, dataloader: Any, max_epochs: int, **settings: Any) -> None:
        super().__init__(runner, _loader(runner, dataloader), max_epochs, **settings)

    def run(self) -> Any:
        """Train to the last epoch."""
        self.runner.call_hook('before_train')
        self._decide_current_val_interval()
        self.validate_if_due(self._epoch, self._max_epochs)
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._decide_current_val_interval()
            self.validate_if_due(self._epoch, self._max_epochs)
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train on what is left of an epoch."""
        done = self._iter - self._epoch * len(self.dataloader)
        if not 0 <= done <= len(self.dataloader):
            raise CheckpointError(
                f'the checkpoint is at iteration {self._iter} in epoch {self._epoch}, an epoch now has '
                f'{len(self.dataloader)}: --resume needs the same data and batch size'
            )
        self.batches.start(self._epoch, done)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for number, batch in enumerate(self.dataloader, start=done):
            self.step(number, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


@LOOPS.register_module()
class ResumableIterLoop(_Resumable, IterBasedTrainLoop):
    """mmengine's iteration loop, resumed without loading what was seen (arguments as there)."""

    def __init__(
        self,
        runner: Any,
        dataloader: Any,
        max_iters: int,
        val_begin: int = 1,
        val_interval: int = 1000,
        dynamic_intervals: list[tuple[int, int]] | None = None,
    ) -> None:
        # not IterBasedTrainLoop's own: it would start the workers before a checkpoint says where to begin
        BaseLoop.__init__(self, runner, _loader(runner, dataloader))
        self._max_iters, self._max_epochs = int(max_iters), 1
        self._epoch = self._iter = 0
        self.val_begin, self.val_interval = val_begin, val_interval
        self.stop_training = False
        self.runner.visualizer.dataset_meta = getattr(self.dataloader.dataset, 'metainfo', None)
        self.dynamic_milestones, self.dynamic_intervals = calc_dynamic_intervals(val_interval, dynamic_intervals)

    def run(self) -> Any:
        """Train to the last iteration."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self._decide_current_val_interval()
        self.validate_if_due(self._iter, self._max_iters)
        stream = self._stream()
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.step(self._iter, next(stream))
            self._decide_current_val_interval()
            self.validate_if_due(self._iter, self._max_iters)
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _stream(self) -> Iterator[Any]:
        """Yield batches for ever, from the iteration that comes next."""
        passes, done = (0, self._iter) if self.batches.endless else divmod(self._iter, len(self.dataloader))
        while True:
            self.batches.start(passes, done)
            yield from self.dataloader
            passes, done = passes + 1, 0


def take_reports(batch: Any) -> list[dict[str, str]]:
    """Remove what `RobustDataset` notes beside its samples from a batch, and return it: frame, reason of each skip."""
    reports = batch.pop(REPORT, None) if isinstance(batch, dict) else None
    return [entry for text in reports or [] if text for entry in json.loads(text)]


def guarded(wrapper: Any) -> Any:
    """Return an optimiser wrapper that skips losses which are not finite; several optimisers are left as they are."""
    return FiniteGuard(wrapper) if isinstance(wrapper, OptimWrapper) else wrapper
