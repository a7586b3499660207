"""The measurement that decides on bf16."""

from __future__ import annotations

import torch

from pointkd.engine.bf16 import bf16_gain


def test_gain_is_a_ratio_of_times() -> None:
    assert 0.05 < bf16_gain(rounds=1) < 20


def test_leaves_autocast_off() -> None:
    bf16_gain(rounds=1)
    assert not torch.is_autocast_enabled('cpu')
