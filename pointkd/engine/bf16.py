"""Does bf16 pay on this processor? Its flags don't tell: with AVX512-BF16 some are faster so, others slower."""

from __future__ import annotations

import time

import torch
from torch import nn

WORTH = 1.15  # from this gain on, mixed precision is worth its rounding


def bf16_gain(rounds: int = 4) -> float:
    """Return how many times as fast the CPU trains a convolution in bf16 as in float32, measured in under a second.

    Processor time is measured, so that other work on the machine hardly matters; the best of some rounds in turns.

    Args:
        rounds: measurements of each kind.
    """
    layer = nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)
    maps = torch.ones(2, 64, 96, 96).to(memory_format=torch.channels_last).requires_grad_()
    seconds = {False: float('inf'), True: float('inf')}
    for _ in range(rounds + 1):  # the first of each kind warms up; it is never the best
        for bf16 in seconds:
            start = time.process_time()
            with torch.autocast('cpu', torch.bfloat16, enabled=bf16):
                output = layer(maps)
            output.float().sum().backward()
            seconds[bf16] = min(seconds[bf16], time.process_time() - start)
    return seconds[False] / seconds[True]
