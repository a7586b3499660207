"""A simple image of a scene: flat colours in slanting light, haze, half the resolution of KITTI's pixels."""

from __future__ import annotations

import numpy as np

from pointkd.datasets.synthetic_kitti.camera import HEIGHT, WIDTH, Camera
from pointkd.datasets.synthetic_kitti.casting import Caster
from pointkd.datasets.synthetic_kitti.materials import COLOUR

BLOCK = 2  # pixels of the image a ray stands for, each way
HAZE_M = 140.0
_SKY_TOP, _SKY_LOW = np.array([96.0, 140.0, 200.0]), np.array([205.0, 216.0, 226.0])


def render(caster: Caster, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Return the camera's image.

    Args:
        caster: the scene.
        camera: the frame's camera.
        rng: decides about the sun's direction.

    Returns:
        (375, 1242, 3) uint8 red, green, blue.
    """
    rows, columns = -(-HEIGHT // BLOCK), -(-WIDTH // BLOCK)
    u, v = np.meshgrid(np.arange(columns) * BLOCK + BLOCK / 2, np.arange(rows) * BLOCK + BLOCK / 2)
    hits = caster.cast(camera.centre(), camera.rays(np.stack([u.ravel(), v.ravel()], axis=1)))
    turn = rng.uniform(-np.pi, np.pi)
    sun = np.array([0.6 * np.cos(turn), 0.6 * np.sin(turn), 0.8])
    light = 0.45 + 0.55 * np.clip(hits.normal @ sun, 0.0, 1.0)
    met = np.isfinite(hits.distance)
    haze = np.where(met, 1.0 - np.exp(-np.where(met, hits.distance, 0.0) / HAZE_M), 1.0)[:, None]
    sky = _SKY_TOP + (_SKY_LOW - _SKY_TOP) * np.clip(v.ravel() / 180.0, 0.0, 1.0)[:, None]
    colour = (1.0 - haze) * COLOUR[hits.material] * light[:, None] + haze * sky
    image = np.clip(colour, 0.0, 255.0).astype(np.uint8).reshape(rows, columns, 3)
    return image.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)[:HEIGHT, :WIDTH]
