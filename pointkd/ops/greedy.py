"""What every suppression needs: the order of the boxes, and greedy suppression in torch for any overlap and device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

BLOCK = 256


def best_first(scores: Tensor) -> Tensor:
    """Return the numbers (N,) of scores (N,) from the highest down.

    The order of equal scores is that of `torch.sort`, which is not stable and depends on the processor: mmcv's compiled
    kernels sort in this way, and on one machine the result is always the same.
    """
    return scores.detach().sort(dim=0, descending=True).indices


def greedy_keep(
    overlap: Callable[[Tensor, Tensor], Tensor], count: int, threshold: float, device: torch.device
) -> Tensor:
    """Return which of `count` boxes, best first, survive: a kept box removes the later ones that overlap it too much.

    Args:
        overlap: gives the overlaps (R, C) of boxes number rows (R,) and columns (C,).
        count: number of boxes.
        threshold: an overlap strictly above it removes.
        device: where the boxes are.

    Returns:
        (count,) bool.

    Cost: O(count²) time in the worst case, O(BLOCK · count) memory.
    """
    alive = torch.ones(count, dtype=torch.bool, device=device)
    for start in range(0, count, BLOCK):
        end = min(start + BLOCK, count)
        block = alive[start:end].nonzero().squeeze(1) + start
        alive[block] = _settle((overlap(block, block) > threshold).triu(1))
        block = block[alive[block]]
        rest = alive[end:].nonzero().squeeze(1) + end
        alive[rest] = ~(overlap(block, rest) > threshold).any(0)
    return alive


def _settle(removes: Tensor) -> Tensor:
    """Return which boxes (B,) survive, where removes (B, B) says whether a row, if it survives, removes a column.

    The greedy answer is the only one that repeats itself, and each round makes at least one more box right.
    """
    alive = torch.ones(len(removes), dtype=torch.bool, device=removes.device)
    while True:
        now = ~(removes & alive[:, None]).any(0)
        if torch.equal(now, alive):
            return alive
        alive = now
