"""The distances of the boundary metrics."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pointkd.core.errors import ConfigError
from pointkd.evaluation.boundary.borders import MAX_REACH


@dataclass(frozen=True)
class BoundaryRules:
    """The distances of the boundary metrics.

    Attributes:
        trimap_radii: of the trimaps, pixels, from small to great.
        tolerance: of the F measure, pixels.
        band: width of the inner band as a share of the image's diagonal.

    Raises:
        ConfigError: a distance is negative or above 180 pixels, or the radii are not in order.
    """

    trimap_radii: tuple[float, ...] = (1, 3, 5, 9)
    tolerance: float = 3.0
    band: float = 0.005

    def __post_init__(self) -> None:
        radii = list(self.trimap_radii)
        if not radii or sorted(set(radii)) != radii or not 0 <= radii[0] <= radii[-1] <= MAX_REACH:
            raise ConfigError(f'trimap_radii: expected ascending numbers of 0..{MAX_REACH} pixels, got {radii}')
        if not 0 <= self.tolerance <= MAX_REACH:
            raise ConfigError(f'tolerance: expected 0..{MAX_REACH} pixels, got {self.tolerance}')
        if not 0 <= self.band < 1:
            raise ConfigError(f"band: expected a share of the image's diagonal, for example 0.005, got {self.band}")

    def band_width(self, height: int, width: int) -> float:
        """Return the width of the inner band in an image, pixels.

        Raises:
            ConfigError: it is above 180 pixels.

        Example:
            >>> BoundaryRules().band_width(360, 480)
            3.0
        """
        pixels = self.band * math.hypot(height, width)
        if pixels > MAX_REACH:
            raise ConfigError(
                f'band: {self.band} is {pixels:.0f} pixels in an image of {width} x {height}, more than {MAX_REACH}'
            )
        return pixels
