"""The drone's camera, and how it is chosen so that objects get the size and the shape that was drawn.

World: metres; x right, y away from the camera, z up; the origin is the point of the ground in the image's middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MIN_PITCH, MAX_PITCH = math.radians(17.0), math.radians(87.0)
MIN_FIELD, MAX_FIELD = math.radians(14.0), math.radians(30.0)  # of view: an image is a window of a wider frame
HORIZON = math.radians(5.5)  # the ground is seen everywhere: the upper border looks down by more than this
CAR_M = (4.5, 1.8, 1.5)
PERSON_M = (0.70, 0.45, 1.68)  # width, depth, height of someone who walks, the mean over headings
CUT_LOSS = 1.1  # boxes that the border cuts are smaller
_HEADINGS = np.linspace(0.0, math.pi, 16, endpoint=False)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks down onto flat ground.

    Attributes:
        side: of the square image, pixels.
        pitch: angle below the horizon of the line of sight, radians.
        distance_m: from the camera to the origin.
        focal: pixels.
    """

    side: int
    pitch: float
    distance_m: float
    focal: float

    def axes(self) -> np.ndarray:
        """Return (3, 3): rows are the camera's right, down and forward in the world."""
        sine, cosine = math.sin(self.pitch), math.cos(self.pitch)
        return np.array([[1.0, 0.0, 0.0], [0.0, -sine, -cosine], [0.0, cosine, -sine]])

    def centre(self) -> np.ndarray:
        """Return (3,) the camera's place."""
        return self.distance_m * np.array([0.0, -math.cos(self.pitch), math.sin(self.pitch)])

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return (..., 3) of points (..., 3): column, row (pixels, 0 is the left or upper border) and depth."""
        seen = (points - self.centre()) @ self.axes().T
        seen[..., :2] *= self.focal / np.maximum(seen[..., 2:], 1e-3)
        seen[..., :2] += self.side / 2
        return np.asarray(seen)

    def ground(self, pixels: np.ndarray) -> np.ndarray:
        """Return (..., 2) the place x y on the ground behind pixels (..., 2)."""
        middle = self.side / 2
        rays = np.concatenate([(pixels - middle) / self.focal, np.ones((*pixels.shape[:-1], 1))], axis=-1) @ self.axes()
        return self.centre()[:2] + rays[..., :2] * (self.centre()[2] / -rays[..., 2:])

    def ground_matrix(self) -> np.ndarray:
        """Return (3, 3) the homography from ground (x, y, 1) to pixels."""
        middle = self.side / 2
        intrinsic = np.array([[self.focal, 0, middle], [0, self.focal, middle], [0, 0, 1.0]])
        axes = self.axes()
        return intrinsic @ np.column_stack([axes[:, 0], axes[:, 1], -axes @ self.centre()])

    def corners(self) -> np.ndarray:
        """Return (4, 2) the ground at the image's corners, in turn from the upper left one."""
        side = float(self.side)
        return self.ground(np.array([[0, 0], [side, 0], [side, side], [0, side]]))

    def toward(self) -> np.ndarray:
        """Return (3,) the unit vector from the scene to the camera."""
        return -self.axes()[2]


def aim(side: int, scale: float, upright: float, rng: np.random.Generator) -> Camera:
    """Return a camera in whose image cars have a size and pedestrians a shape.

    Args:
        side: of the image, pixels.
        scale: mean size (square root of the box's area) of a car in the image's middle, in shares of its side.
        upright: height over width of a pedestrian.
        rng: for the field of view.
    """
    pitch = pitch_of(upright)
    field = rng.uniform(MIN_FIELD, min(MAX_FIELD, 2 * (pitch - HORIZON)))
    focal = side / (2 * math.tan(field / 2))
    pixels_per_m = CUT_LOSS * scale * side / car_size_m(pitch)
    return Camera(side, pitch, focal / pixels_per_m, focal)


def pitch_of(upright: float) -> float:
    """Return the pitch at which a pedestrian's box has a height over width, in radians."""
    pitches = np.linspace(MIN_PITCH, MAX_PITCH, 64)
    width, depth, height = PERSON_M
    seen = (height * np.cos(pitches) + depth * np.sin(pitches)) / width
    return float(np.interp(-upright, -seen, pitches))


def car_size_m(pitch: float) -> float:
    """Return the size of a car's box in metres across the line of sight: the mean over its headings."""
    length, width, height = CAR_M
    wide = length * np.abs(np.cos(_HEADINGS)) + width * np.abs(np.sin(_HEADINGS))
    deep = length * np.abs(np.sin(_HEADINGS)) + width * np.abs(np.cos(_HEADINGS))
    return float(np.sqrt(wide * (deep * math.sin(pitch) + height * math.cos(pitch))).mean())
