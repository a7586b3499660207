"""An exported detector: points in, boxes out, with no training framework."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from pointkd.runtime.decode import Decoder, HeadMaps
from pointkd.runtime.detections import Detections
from pointkd.runtime.session import open_session
from pointkd.runtime.sidecar import SideCar, read_side_car
from pointkd.runtime.voxelize import Pillars

logger = logging.getLogger(__name__)


class Detector:
    """Runs what `pointkd export` wrote.

    Attributes:
        side_car: every constant of the export.

    Example:
        detector = Detector('work_dirs/demo/export', backend='openvino', precision='bf16')
        for name, box in zip((found := detector.predict(points)).names, found.boxes): ...
    """

    def __init__(
        self,
        export_dir: str | Path,
        backend: str = 'onnxruntime',
        precision: str = 'f32',
        *,
        threads: int | None = None,
    ) -> None:
        """Load an export.

        Args:
            export_dir: folder with model.json and model.onnx.
            backend: 'onnxruntime' or 'openvino'.
            precision: 'f32', or 'bf16' with OpenVINO.
            threads: at most so many (default: the backend's choice).

        Raises:
            ExportError: no export there, or a damaged one.
            ConfigError: the backend is unknown or has not this precision.
            StackError: the backend is not installed.
        """
        self.side_car: SideCar = read_side_car(export_dir)
        self._session = open_session(Path(export_dir) / self.side_car.model.file, backend, precision, threads)
        self._decoder = Decoder(self.side_car.anchors, len(self.side_car.class_names), self.side_car.decode)
        self._warned: set[str] = set()

    def predict(self, points: np.ndarray) -> Detections:
        """Find the objects of one cloud.

        Args:
            points: (N, C) x, y, z in metres, LiDAR frame, then the values the network was trained with (C is
                `side_car.voxels.columns`). Points with NaN or infinite values are dropped and counted.

        Returns:
            The boxes by falling score; none for a cloud without a point in range.

        Raises:
            ShapeError: the cloud has another number of columns.
        """
        pillars = self.voxelize(points)
        return self.decode(self.network(pillars), pillars)

    def voxelize(self, points: np.ndarray) -> Pillars:
        """Group the points of a cloud (first stage of `predict`)."""
        pillars = self.side_car.voxels(points)
        self._warn('points with NaN or infinite values', pillars.invalid_points)
        self._warn(f'pillars beyond the limit of {self.side_car.voxels.max_pillars}', pillars.dropped_pillars)
        return pillars

    def network(self, pillars: Pillars) -> HeadMaps | None:
        """Run the network; None where there is no pillar (second stage)."""
        return self._session(pillars) if len(pillars) else None

    def decode(self, maps: HeadMaps | None, pillars: Pillars) -> Detections:
        """Choose the boxes (last stage)."""
        if maps is None:
            boxes = np.zeros((0, 7 + self.side_car.anchors.extra), dtype=np.float32)
            scores, labels = np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int64)
        else:
            boxes, scores, labels = self._decoder(maps)
        dropped = (pillars.invalid_points, pillars.dropped_pillars)
        return Detections(boxes, scores, labels, self.side_car.class_names, *dropped)

    def _warn(self, what: str, count: int) -> None:
        """Log the first time that something is dropped."""
        if count and what not in self._warned:
            self._warned.add(what)
            logger.warning('dropped %d %s (told once; every result carries its own count)', count, what)
