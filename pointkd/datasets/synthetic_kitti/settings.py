"""What is asked of the generator."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from pointkd.core.errors import ConfigError

BEAMS = (64, 32, 16)
MIN_RANGE_M, MAX_RANGE_M = 15.0, 80.0


@dataclass(frozen=True)
class SceneSettings:
    """A set of scenes; equal settings give equal bytes.

    Attributes:
        scenes: number of frames.
        seed: every frame has a seed of its own, derived from this one and the frame's number.
        val_share: share of the frames that goes to the list `val`, evenly spread.
        range_m: objects are labelled up to this distance in metres; farther ones become DontCare.
        beams: lasers of the LiDAR: 64 (like the HDL-64E of KITTI), 32 (HDL-32E) or 16 (VLP-16).
        jobs: processes that work; the result does not depend on it.
    """

    scenes: int
    seed: int = 0
    val_share: float = 0.25
    range_m: float = 70.0
    beams: int = 64
    jobs: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))

    def __post_init__(self) -> None:
        if not 1 <= self.scenes <= 1_000_000:
            raise ConfigError(f'--scenes: expected 1 to 1000000, got {self.scenes}')
        if not 0.0 <= self.val_share < 1.0:
            raise ConfigError(f'--val-share: expected 0 to below 1, got {self.val_share}')
        if not MIN_RANGE_M <= self.range_m <= MAX_RANGE_M:
            raise ConfigError(f'--range-m: expected {MIN_RANGE_M:g} to {MAX_RANGE_M:g} metres, got {self.range_m:g}')
        if self.beams not in BEAMS:
            raise ConfigError(f'--beams: expected one of {", ".join(map(str, BEAMS))}, got {self.beams}')
        if self.jobs < 1:
            raise ConfigError(f'--jobs: expected at least 1, got {self.jobs}')

    def recipe(self) -> dict[str, float]:
        """Return what decides about the content of one frame (a folder keeps to one recipe)."""
        return {'seed': self.seed, 'range_m': self.range_m, 'beams': self.beams}

    def in_val(self, number: int) -> bool:
        """Return whether a frame belongs to `val`; the same whatever the number of frames."""
        return int((number + 1) * self.val_share + 1e-9) > int(number * self.val_share + 1e-9)
