"""A linear layer and the batch norm behind it as one linear map.

The output of a linear layer without bias has mean `W m` and variance `diag(W S Wᵀ)` where m and S are the mean and the
covariance of its input. So the batch statistics of many wide outputs come from one small matrix of the inputs, and the
normalised outputs are never held beside the raw ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce

from pointkd.core.errors import ConfigError


def folded(linear: nn.Linear, norm: nn.Module, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the linear map that equals `norm(linear(rows))`, and update running statistics as the norm would.

    In training mode the statistics are those of `rows`; in evaluation mode, and where a training batch has fewer than
    two rows (its variance is unknown; torch's own layer raises), they are the running ones.

    Args:
        linear: layer (C_in -> C_out) without bias.
        norm: `BatchNorm1d`, or `SyncBatchNorm` (statistics over all processes), with C_out channels.
        rows: (R, C_in).

    Returns:
        weight: (C_out, C_in).
        bias: (C_out,).

    Raises:
        ConfigError: another kind of norm.
    Cost: O(R·C_in²) time in training mode.
    """
    if type(norm) not in (nn.BatchNorm1d, nn.SyncBatchNorm):
        raise ConfigError(
            f'norm_cfg: expected a plain batch norm (BN1d), got {type(norm).__name__}; '
            "for statistics over all processes set sync_bn='torch' beside the model"
        )
    mean, variance = _statistics(linear, norm, rows)
    scale = torch.rsqrt(variance + norm.eps)
    if norm.affine:
        scale = scale * norm.weight
    bias = -mean * scale
    if norm.affine:
        bias = bias + norm.bias
    return linear.weight * scale.unsqueeze(1), bias


def _statistics(linear: nn.Linear, norm: nn.Module, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the (biased) variance, each (C_out,), to normalise with."""
    tracked = norm.running_mean is not None
    if tracked and not norm.training:
        return norm.running_mean, norm.running_var
    count, mean_in, covariance = _moments(rows, norm)
    if tracked and count < 2:
        return norm.running_mean, norm.running_var
    mean = linear.weight @ mean_in
    variance = ((linear.weight @ covariance) * linear.weight).sum(1).clamp(min=0)
    if tracked:
        _update_running(norm, mean.detach(), variance.detach() * (count / (count - 1)))
    return mean, variance


def _moments(rows: Tensor, norm: nn.Module) -> tuple[float, Tensor, Tensor]:
    """Return the number of rows, their mean (C,) and covariance (C, C), over all processes for a synchronised norm."""
    count = _total(rows.new_tensor(float(len(rows))), norm)
    divisor = count.clamp(min=1)
    mean = _total(rows.sum(0), norm) / divisor
    centred = rows - mean
    return float(count), mean, _total(centred.t() @ centred, norm) / divisor


def _total(value: Tensor, norm: nn.Module) -> Tensor:
    """Return the sum of a value over the processes that the norm spans, with gradients."""
    if not isinstance(norm, nn.SyncBatchNorm) or not (distributed.is_available() and distributed.is_initialized()):
        return value
    return all_reduce(value, group=norm.process_group or distributed.group.WORLD)


@torch.no_grad()
def _update_running(norm: nn.Module, mean: Tensor, variance: Tensor) -> None:
    """Move the running statistics as torch's batch norm does."""
    norm.num_batches_tracked += 1
    momentum = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, momentum)
    norm.running_var.lerp_(variance, momentum)
