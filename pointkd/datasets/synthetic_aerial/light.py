"""The light of a scene, and what the camera makes of it: exposure, blur, haze, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Light:
    """One sun and the sky.

    Attributes:
        sun: (3,) unit vector towards the sun.
        direct: brightness that the sun adds on a face turned to it; the sky gives the rest.
        tint: (3,) factor of red, green and blue.
        exposure: factor of everything; dusk is below 1.
        haze: share of grey that lies over the picture's far end.
    """

    sun: np.ndarray
    direct: float
    tint: np.ndarray
    exposure: float
    haze: float

    def on(self, normals: np.ndarray) -> np.ndarray:
        """Return (K,) brightness of faces with unit normals (K, 3); level ground has 1."""
        sky = 0.42 + 0.16 * normals[:, 2]
        raw = sky * (1.0 - 0.45 * self.direct) + self.direct * np.maximum(normals @ self.sun, 0.0)
        level = 0.58 * (1.0 - 0.45 * self.direct) + self.direct * self.sun[2]
        return np.asarray(np.clip(raw / level, 0.28, 1.35))

    def in_shadow(self) -> float:
        """Return the brightness of level ground that the sun does not reach."""
        sky = 0.58 * (1.0 - 0.45 * self.direct)
        return sky / (sky + self.direct * float(self.sun[2]))

    def shift(self) -> np.ndarray:
        """Return (2,) how far a shadow lies from what throws it, in metres for each metre of height."""
        return -self.sun[:2] / self.sun[2]


def random_light(rng: np.random.Generator) -> Light:
    """Return the light of a sunny day, an overcast day, or dusk."""
    elevation, azimuth = math.radians(rng.uniform(28.0, 72.0)), rng.uniform(0.0, 2 * math.pi)
    level = math.cos(elevation)
    sun = np.array([level * math.cos(azimuth), level * math.sin(azimuth), math.sin(elevation)])
    kind = rng.random()
    if kind < 0.55:
        direct, exposure = rng.uniform(0.45, 0.95), rng.uniform(0.85, 1.3)
    elif kind < 0.85:
        direct, exposure = rng.uniform(0.03, 0.2), rng.uniform(0.7, 1.15)
    else:
        direct, exposure = rng.uniform(0.0, 0.15), rng.uniform(0.25, 0.6)
    warm = rng.normal(0.0, 0.045)
    tint = np.array([1.0 + warm, 1.0 + rng.normal(0.0, 0.012), 1.0 - warm])
    return Light(
        sun, float(direct), tint, float(exposure), float(rng.choice([0.0, rng.uniform(0.05, 0.3)], p=[0.6, 0.4]))
    )


def develop(image: np.ndarray, side: int, light: Light, rng: np.random.Generator) -> np.ndarray:
    """Return the photograph (side, side, 3) uint8 of a zoomed picture: blurred, hazy, exposed, noisy."""
    sharp = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.5, 1.25)))
    if rng.random() < 0.15:
        sharp = cv2.filter2D(sharp, -1, _motion(rng))
    picture = cv2.resize(sharp, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    if light.haze:
        veil = (light.haze * np.linspace(1.0, 0.25, side, dtype=np.float32))[:, None, None]
        picture += veil * (np.float32(205.0) - picture)
    picture *= (light.tint * light.exposure).astype(np.float32)
    contrast, middle = float(rng.uniform(0.85, 1.2)), 110.0 * min(light.exposure, 1.0)
    picture = (picture - middle) * contrast + middle
    picture += rng.standard_normal((side, side, 3), dtype=np.float32) * float(rng.uniform(1.0, 5.0))
    return np.asarray(np.clip(picture, 0, 255).astype(np.uint8))


def _motion(rng: np.random.Generator) -> np.ndarray:
    """Return the kernel of a camera that moves during the exposure."""
    length = int(rng.integers(3, 7))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0.0, math.pi)
    step = np.array([math.cos(angle), math.sin(angle)]) * (length - 1) / 2
    middle = (length - 1) / 2
    ends = [tuple(np.rint(middle + sign * step).astype(int).tolist()) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1)
    return kernel / kernel.sum()
