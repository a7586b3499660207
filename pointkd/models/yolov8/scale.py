"""How deep and how wide a net of the family is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pointkd.core.errors import ConfigError, nearest


@dataclass(frozen=True)
class Scale:
    """The two factors and the limit that make one net of the family.

    Attributes:
        depth: factor of the number of blocks in a stage.
        width: factor of the channels.
        max_channels: limit of the channels before the factor.
    """

    depth: float
    width: float
    max_channels: int

    def __post_init__(self) -> None:
        if not (self.depth > 0 and self.width > 0 and self.max_channels > 0):
            raise ConfigError(f'scale: depth, width and max_channels must be above 0, got {self}')

    def channels(self, base: int) -> int:
        """Return the width of a layer whose base width is given, a multiple of 8.

        Example:
            >>> SCALES['m'].channels(1024)
            576
        """
        return math.ceil(min(base, self.max_channels) * self.width / 8) * 8

    def repeats(self, base: int) -> int:
        """Return the number of blocks of a stage whose base number is given, at least 1."""
        return max(1, round(base * self.depth))

    @classmethod
    def of(cls, value: str | Mapping[str, Any] | Scale) -> Scale:
        """Return the scale that a config means: a letter of `SCALES`, or `dict(depth, width, max_channels)`.

        Raises:
            ConfigError: no such letter, or other keys.
        """
        if isinstance(value, Scale):
            return value
        if isinstance(value, str):
            if value not in SCALES:
                raise ConfigError(f'scale: no net {value!r}: {nearest(value, SCALES)}')
            return SCALES[value]
        names = {field.name for field in fields(cls)}
        if not isinstance(value, Mapping) or set(value) != names:
            raise ConfigError(f'scale: expected one of {", ".join(SCALES)} or a dict of {sorted(names)}, got {value!r}')
        return cls(**value)


SCALES = {
    'n': Scale(0.33, 0.25, 1024),
    's': Scale(0.33, 0.50, 1024),
    'm': Scale(0.67, 0.75, 768),
    'l': Scale(1.00, 1.00, 512),
    'x': Scale(1.00, 1.25, 512),
}
# Channels of the maps at strides 2, 4, 8, 16 and 32 before scaling.
WIDTHS = (64, 128, 256, 512, 1024)
STRIDES = (8, 16, 32)  # of the maps that neck and head work on
