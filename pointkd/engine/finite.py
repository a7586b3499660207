"""Losses that are not finite: the update is skipped, counted, and too many stop the run."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import HOOKS
from torch import Tensor, nn

from pointkd.core.errors import TrainingError

COUNTER = 'bad_losses'  # in the message hub, which checkpoints keep


class FiniteGuard:
    """Stands before an optimiser wrapper in a training step and lets only finite losses through.

    A loss that is infinite or NaN on any process is left out on all of them; gradients already accumulated are kept.

    Args:
        wrapper: the run's optimiser wrapper.
    """

    def __init__(self, wrapper: OptimWrapper) -> None:
        self.wrapper = wrapper
        self.skipped = False

    def update_params(self, loss: Tensor, **settings: Any) -> None:
        """Update the parameters as the wrapper does, or count the iteration without a gradient."""
        self.skipped = not _finite_everywhere(loss)
        if not self.skipped:
            self.wrapper.update_params(loss, **settings)
            return
        self.wrapper._inner_count += 1
        pending = any(
            parameter.grad is not None for group in self.wrapper.optimizer.param_groups for parameter in group['params']
        )
        if pending and self.wrapper.should_update():
            self.wrapper.step()
            self.wrapper.zero_grad()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapper, name)


@HOOKS.register_module()
class BadLossHook(Hook):
    """Reports every loss that is not finite, and stops the run after too many.

    Args:
        limit: iterations that may be skipped in the whole run.
    """

    priority = 'VERY_HIGH'

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Look whether this iteration's update was skipped."""
        if not getattr(getattr(runner.train_loop, 'optimiser', None), 'skipped', False):
            return
        count = runner.message_hub.runtime_info.get(COUNTER, 0) + 1
        runner.message_hub.update_info(COUNTER, count)
        what = (
            f'iteration {runner.iter + 1}: {_bad_names(outputs or {})} not finite; '
            f'frames {", ".join(frames_of(data_batch)) or "unknown"}'
        )
        spoilt = _spoilt(runner.model)
        if spoilt:
            raise TrainingError(f'{what}. The network is spoilt ({spoilt} is not finite): {ADVICE}')
        if count > self.limit:
            raise TrainingError(f'{what}. That was number {count}, more than reliability.max_bad_losses: {ADVICE}')
        runner.logger.warning(f'{what}: skipped ({count} of at most {self.limit})')


ADVICE = 'lower the learning rate or clip gradients, look at these frames, and go on from last.pth with --resume'


def frames_of(batch: Any) -> list[str]:
    """Return how a batch's samples are called: their files, else their numbers."""
    samples = batch.get('data_samples') if isinstance(batch, dict) else None
    names = []
    for sample in samples or []:
        known = getattr(sample, 'metainfo', {})
        name = next((known[key] for key in ('lidar_path', 'img_path', 'sample_idx', 'img_id') if known.get(key)), None)
        if name is not None:
            names.append(str(name))
    return names


def _finite_everywhere(loss: Tensor) -> bool:
    """Return whether a loss is finite on every process."""
    finite = torch.isfinite(loss.detach()).all()
    if get_world_size() > 1:
        flag = finite.to(torch.int32)
        all_reduce(flag, op='min')
        return bool(flag)
    return bool(finite)


def _bad_names(outputs: dict[str, Any]) -> str:
    """Return the names of the losses that are not finite; the sum is named only when it alone is."""
    bad = [name for name, value in outputs.items() if isinstance(value, Tensor) and not torch.isfinite(value).all()]
    parts = [name for name in bad if name != 'loss'] or bad
    return f'{", ".join(parts)} {"is" if len(parts) == 1 else "are"}' if parts else 'a loss of another process is'


def _spoilt(model: nn.Module) -> str:
    """Return the first parameter or statistic that is not finite, '' where all are."""
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            return name
    return ''
