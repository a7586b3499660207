"""What a detector found in one cloud."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Detections:
    """Boxes of one cloud, by falling score.

    Attributes:
        boxes: (N, 7+) float32 x, y, z (centre of the bottom), length, width, height in metres, yaw in radians; LiDAR
            frame; further columns are what the network adds (velocities).
        scores: (N,) float32, 0..1.
        labels: (N,) int64, index into `class_names`.
        class_names: every class of the network.
        invalid_points: points of the cloud that were dropped because a value was NaN or infinite.
        dropped_pillars: pillars beyond the network's limit that were dropped.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    invalid_points: int = 0
    dropped_pillars: int = 0

    @property
    def names(self) -> list[str]:
        """(N,) class name of each box."""
        return [self.class_names[label] for label in self.labels]

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float) -> Detections:
        """Return the boxes whose score is at least `score`."""
        kept = self.scores >= score
        return Detections(
            self.boxes[kept],
            self.scores[kept],
            self.labels[kept],
            self.class_names,
            self.invalid_points,
            self.dropped_pillars,
        )
