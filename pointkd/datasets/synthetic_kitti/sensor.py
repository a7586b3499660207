"""The spinning LiDAR: where its beams point, which pulses come back, and what they report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointkd.datasets.synthetic_kitti.casting import Caster
from pointkd.datasets.synthetic_kitti.materials import LOSS, REFLECTANCE

FRONT_DEG = 90.0  # only this sector ahead is scanned: KITTI labels nothing else
# A pulse is detected with 1 - exp(-GAIN * reflectance * incidence * (REFERENCE_M / distance)^2): asphalt fades out
# beyond about 50 m, where it is met at less than 2 degrees, while a car's tail is seen at 100 m.
GAIN, REFERENCE_M = 54.0, 60.0


@dataclass(frozen=True)
class Sensor:
    """A LiDAR at the origin.

    Attributes:
        elevations: (B,) radians, highest beam first.
        azimuth_step: radians between two shots of a beam.
        range_noise_m: standard deviation of a distance.
        max_range_m: farthest distance reported.
    """

    elevations: np.ndarray
    azimuth_step: float
    range_noise_m: float = 0.02
    max_range_m: float = 120.0

    def directions(self) -> np.ndarray:
        """(B*A, 3) unit vectors, beam after beam, each from left to right; neighbouring beams shoot out of step."""
        half = np.radians(FRONT_DEG / 2)
        azimuth = np.arange(half, -half, -self.azimuth_step)
        stagger = (np.arange(len(self.elevations)) % 4 - 1.5) / 4 * self.azimuth_step
        azimuth = azimuth[None] + stagger[:, None]  # (B, A)
        elevation = np.broadcast_to(self.elevations[:, None], azimuth.shape)
        flat = np.cos(elevation)
        return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], axis=-1).reshape(-1, 3)


def make_sensor(beams: int, range_m: float) -> Sensor:
    """Return a sensor with the beams of a well-known model; it sees somewhat farther than objects are labelled.

    64: HDL-64E, an upper block every 1/3 degree and a lower one every 1/2 degree, 2 to -24.8 degrees.
    32: HDL-32E, 10.67 to -30.67 degrees. 16: VLP-16, 15 to -15 degrees.
    """
    degrees = {
        64: np.concatenate([np.linspace(2.0, -8.33, 32), np.linspace(-8.83, -24.8, 32)]),
        32: np.linspace(10.67, -30.67, 32),
        16: np.linspace(15.0, -15.0, 16),
    }[beams]
    step = {64: 0.1728, 32: 0.16, 16: 0.20}[beams]
    return Sensor(np.radians(degrees), float(np.radians(step)), max_range_m=min(120.0, 1.35 * range_m + 10.0))


def scan(sensor: Sensor, caster: Caster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scan a scene.

    Args:
        sensor: the LiDAR.
        caster: the scene.
        rng: decides about noise and lost pulses.

    Returns:
        points (N, 4) float32 x, y, z, reflectance; item (N,) number of the object each point lies on, -1 for scenery.
    """
    directions = sensor.directions()
    hits = caster.cast(np.zeros(3), directions)
    # Every ray draws its numbers, met or not, so that one lost pulse does not shift the luck of all others.
    luck = rng.random(len(directions))
    noise = rng.normal(0.0, sensor.range_noise_m, len(directions))
    flicker = rng.normal(0.0, 0.03, len(directions))
    beam_bias = np.repeat(rng.normal(0.0, 0.008, len(sensor.elevations)), len(directions) // len(sensor.elevations))
    reflectance = REFLECTANCE[hits.material]
    with np.errstate(over='ignore'):
        signal = GAIN * reflectance * hits.incidence * (REFERENCE_M / np.maximum(hits.distance, 1.0)) ** 2
    detected = (1.0 - LOSS[hits.material]) * (1.0 - np.exp(-signal))
    back = (luck < detected) & (hits.distance < sensor.max_range_m) & (hits.distance > 0.9)
    distance = (hits.distance + noise + beam_bias)[back]
    shade = np.round(reflectance * (0.55 + 0.45 * hits.incidence) + flicker, 2)[back]
    points = np.concatenate([directions[back] * distance[:, None], np.clip(shade, 0.0, 0.99)[:, None]], axis=1)
    return points.astype(np.float32), hits.item[back]
