"""Gradients on request, for kernels that get inputs and output gradient and must fill input gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def gradients(function: Callable[..., Tensor], inputs: Sequence[Tensor], grad_output: Tensor) -> tuple[Tensor, ...]:
    """Return the gradient of `sum(function(*inputs) * grad_output)` with respect to each input.

    Runs the function again, so nothing has to be kept between a forward and a backward kernel.

    Args:
        function: differentiable function of the inputs.
        inputs: floating tensors, attached to a graph or not.
        grad_output: like the output.

    Returns:
        One tensor like each input, zeros where the function does not depend on it.

    Example:
        >>> gradients(torch.square, [torch.tensor(3.0)], torch.tensor(1.0))
        (tensor(6.),)
    """
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]
    with torch.enable_grad():
        output = function(*leaves)
    return torch.autograd.grad(output, leaves, grad_output, materialize_grads=True, allow_unused=True)
