"""The `reliability` block of a config: what a run may survive, and how often it saves itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pointkd.core.errors import ConfigError, nearest


@dataclass(frozen=True)
class Reliability:
    """Limits and intervals; every field may be set in the config's `reliability` block.

    Attributes:
        max_bad_frames: different frames that may be skipped before training stops: a whole number, or below 1 a share
            of the data set's frames (at least one frame).
        nan_points: `'skip'` frames with points that are not finite, or `'filter'` the points.
        max_bad_losses: iterations whose loss is not finite that are skipped before training stops.
        save_minutes: how often `last.pth` is written within an epoch; None for never.
        save_iterations: the same in iterations, beside the minutes; None for never.
    """

    max_bad_frames: float = 0.05
    nan_points: str = 'skip'
    max_bad_losses: int = 3
    save_minutes: float | None = 10.0
    save_iterations: int | None = None

    def __post_init__(self) -> None:
        for name in ('max_bad_frames', 'max_bad_losses'):
            if getattr(self, name) < 0:
                raise ConfigError(f'reliability.{name}: expected 0 or more, got {getattr(self, name)}')
        for name in ('save_minutes', 'save_iterations'):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f'reliability.{name}: expected more than 0 or None, got {value}')

    @classmethod
    def parse(cls, block: Mapping[str, Any] | None) -> Reliability:
        """Read the block; None gives the defaults.

        Raises:
            ConfigError: an unknown key (the nearest is named) or an impossible value.
        """
        settings = dict(block or {})
        known = [entry.name for entry in dataclasses.fields(cls)]
        for key in settings:
            if key not in known:
                raise ConfigError(f'reliability: unknown key {key!r}: {nearest(str(key), known)}')
        return cls(**settings)

    def bad_frame_limit(self, frames: int) -> int:
        """Return how many different frames of a data set may be skipped.

        Example:
            >>> [Reliability(max_bad_frames=limit).bad_frame_limit(3712) for limit in (0.05, 7)]
            [185, 7]
        """
        share = 0 < self.max_bad_frames < 1
        return max(1, int(self.max_bad_frames * frames)) if share else int(self.max_bad_frames)
