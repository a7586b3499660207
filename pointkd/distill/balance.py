"""How much a distillation term counts beside the task loss: a fixed weight, or a share of the task's gradient."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from pointkd.core.errors import ConfigError


class Balance:
    """The factor of one term.

    With `weight` the factor is that number. With `share` it is chosen so that the term's gradient at the tapped student
    feature is `share` times the task loss's, measured every `interval` iterations and smoothed by a running mean.

    Args:
        weight: fixed factor; 1 where neither is given.
        share: wanted ratio of gradient norms, above 0.
        where: config path for messages.
        interval: iterations between measurements.
        momentum: of the running mean.

    Raises:
        ConfigError: both are given, or a negative value.
    """

    def __init__(
        self, weight: float | None, share: float | None, where: str, *, interval: int = 10, momentum: float = 0.9
    ) -> None:
        if weight is not None and share is not None:
            raise ConfigError(f'{where}: give `weight` or `share`, not both')
        if (weight or 0) < 0 or (share is not None and share <= 0):
            raise ConfigError(f'{where}: weight must be >= 0 and share > 0, got weight={weight}, share={share}')
        self.weight = 1.0 if weight is None else float(weight)
        self.share = share
        self.where = where
        self.interval = interval
        self.momentum = momentum
        self.ratio: float | None = None  # running mean of |task gradient| / |term gradient|
        self.measured = 0

    def factor(self, task_loss: Tensor, term_loss: Tensor, tapped: Sequence[Tensor], iteration: int) -> float:
        """Return the factor for this iteration.

        Args:
            task_loss: scalar, sum of the student's own losses.
            term_loss: scalar, the term before any factor.
            tapped: student tensors that the term was made from.
            iteration: iterations done.

        Raises:
            ConfigError: with `share`, where no gradient reaches the tapped feature.
        """
        if self.share is None:
            return self.weight
        if self.ratio is None or iteration % self.interval == 0:
            self._measure(task_loss, term_loss, tapped)
        return 0.0 if self.ratio is None else self.share * self.ratio

    def state(self) -> dict[str, float | int | None]:
        """Return what a resumed run needs."""
        return {'ratio': self.ratio, 'measured': self.measured}

    def load(self, state: dict) -> None:
        """Restore `state()`."""
        self.ratio, self.measured = state['ratio'], state['measured']

    def _measure(self, task_loss: Tensor, term_loss: Tensor, tapped: Sequence[Tensor]) -> None:
        """Update the running mean from this batch; a term without gradient (no elements) leaves it as it is."""
        inputs = [tensor for tensor in tapped if tensor.requires_grad]
        if not inputs:
            raise ConfigError(f'{self.where}: `share` needs a tap that gradients reach; use `weight`')
        norms = torch.stack([gradient_norm(task_loss, inputs), gradient_norm(term_loss, inputs)])
        all_reduce(norms, op='mean')  # one factor for all ranks
        task, term = norms.tolist()
        if term <= 0 or task <= 0:
            return
        ratio = task / term
        self.ratio = ratio if self.ratio is None else self.momentum * self.ratio + (1 - self.momentum) * ratio
        self.measured += 1


def gradient_norm(loss: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """Return the L2 norm of a loss's gradient at some tensors (0 where it does not reach them)."""
    if not loss.requires_grad:
        return torch.zeros((), device=loss.device)
    gradients = torch.autograd.grad(loss, list(inputs), retain_graph=True, allow_unused=True)
    squares = [gradient.float().square().sum() for gradient in gradients if gradient is not None]
    return torch.stack(squares).sum().sqrt() if squares else torch.zeros((), device=loss.device)
