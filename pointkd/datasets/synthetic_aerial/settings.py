"""What is asked of the generator."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from pointkd.core.errors import ConfigError

SPLITS = ('train', 'val', 'test')
MIN_SIDE, MAX_SIDE = 64, 1280
MAX_IMAGES = 1_000_000


@dataclass(frozen=True)
class AerialSettings:
    """A set of images in three splits; equal settings give equal bytes.

    Attributes:
        images: number of images to train on.
        val: images to choose settings on; about two for fifteen to train on where not given.
        test: images to report on; about one for five to train on where not given.
        seed: every image has a seed of its own, derived from this one, its split and its number.
        size: side of the square images, pixels.
        jobs: processes that work; the result does not depend on it.
    """

    images: int
    val: int = -1
    test: int = -1
    seed: int = 0
    size: int = 320
    jobs: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))

    def __post_init__(self) -> None:
        if self.val == -1:
            object.__setattr__(self, 'val', round(self.images * 2 / 15))
        if self.test == -1:
            object.__setattr__(self, 'test', round(self.images / 5))
        for option, count in (('--images', self.images), ('--val', self.val), ('--test', self.test)):
            if not 0 <= count <= MAX_IMAGES:
                raise ConfigError(f'{option}: expected 0 to {MAX_IMAGES}, got {count}')
        if not MIN_SIDE <= self.size <= MAX_SIDE:
            raise ConfigError(f'--size: expected {MIN_SIDE} to {MAX_SIDE} pixels, got {self.size}')
        if self.jobs < 1:
            raise ConfigError(f'--jobs: expected at least 1, got {self.jobs}')

    def counts(self) -> dict[str, int]:
        """Return the number of images by split."""
        return dict(zip(SPLITS, (self.images, self.val, self.test), strict=True))

    def recipe(self) -> dict[str, int]:
        """Return what decides about the content of one image (a folder keeps to one recipe)."""
        return {'seed': self.seed, 'size': self.size}
