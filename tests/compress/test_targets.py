"""The search for a ratio, on made-up costs."""

from __future__ import annotations

import pytest

from pointkd.compress.targets import HIGHEST, highest_ratio, reach_count, reach_latency
from pointkd.core.errors import ConfigError


def stairs(ratio: float) -> float:
    """Return a cost that falls in steps of 50 from 1000."""
    return 50 * round(20 * (1 - ratio))


@pytest.mark.parametrize('target', [999, 500, 120])
def test_the_largest_network_below_a_count(target: float) -> None:
    found = reach_count(stairs, target, 0.95, 'target')
    assert found.value == stairs(found.ratio) == target // 50 * 50
    assert stairs(found.ratio - 1e-3) > target


def test_counts_out_of_reach() -> None:
    with pytest.raises(ConfigError, match='has 1,000 already'):
        reach_count(stairs, 1000, 0.95, 'target')
    with pytest.raises(ConfigError, match=r'can not be reached; 500 are left at ratio 0\.50'):
        reach_count(stairs, 400, 0.5, 'target')


def test_the_highest_ratio() -> None:
    assert highest_ratio(lambda ratio: True) == HIGHEST
    assert highest_ratio(lambda ratio: ratio <= 0.62) == pytest.approx(0.62, abs=1e-4)


def test_a_latency_within_ten_percent() -> None:
    asked = []

    def measure(ratio: float) -> float:
        asked.append(ratio)
        return 2 + 38 * (1 - ratio) ** 2 + 0.2 * (len(asked) % 2)  # a floor, a curve, a disturbance

    found = reach_latency(measure, 40, 12, 0.95)
    assert found.value == pytest.approx(12, rel=0.1)
    assert len(asked) <= 11


def test_latencies_out_of_reach() -> None:
    with pytest.raises(ConfigError, match=r'takes 40\.00 ms already'):
        reach_latency(lambda ratio: 1, 40, 45, 0.9)
    with pytest.raises(ConfigError, match=r'can not be reached; 20\.00 ms'):
        reach_latency(lambda ratio: 20, 40, 5, 0.9)
    with pytest.raises(ConfigError, match='not within 10 %'):
        reach_latency(lambda ratio: 30 if ratio < 0.5 else 5, 40, 15, 0.9)
