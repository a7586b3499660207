"""The `reliability` block."""

from __future__ import annotations

import pytest

from pointkd.core.errors import ConfigError
from pointkd.engine.reliability import Reliability


@pytest.mark.parametrize(
    ('limit', 'frames', 'count'), [(0.05, 3712, 185), (0.05, 10, 1), (7, 10, 7), (0, 10, 0), (1, 10, 1)]
)
def test_limit_is_a_share_or_a_count(limit: float, frames: int, count: int) -> None:
    assert Reliability(max_bad_frames=limit).bad_frame_limit(frames) == count


@pytest.mark.parametrize(
    ('block', 'message'),
    [
        ({'save_minute': 3}, r"unknown key 'save_minute': did you mean 'save_minutes'"),
        ({'max_bad_losses': -1}, 'max_bad_losses: expected 0 or more, got -1'),
        ({'save_iterations': 0}, 'save_iterations: expected more than 0 or None, got 0'),
    ],
)
def test_wrong_block(block: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Reliability.parse(block)


def test_defaults() -> None:
    assert Reliability.parse(None) == Reliability() == Reliability.parse({})
