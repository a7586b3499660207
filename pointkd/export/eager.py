"""A detector of OpenMMLab behind the same calls as an exported one, to compare and to time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from pointkd.core.check import check_shape
from pointkd.export.describe import class_names, point_columns
from pointkd.runtime.detections import Detections


class Batch(NamedTuple):
    """One cloud as mmdet3d's preprocessor leaves it.

    Attributes:
        inputs: points and voxels.
        samples: one data sample, with the box type.
        invalid_points: points that were dropped because a value was NaN or infinite.
    """

    inputs: dict[str, Any]
    samples: list[Any]
    invalid_points: int

    def __len__(self) -> int:
        voxels = self.inputs.get('voxels')
        return len(self.inputs['points'][0] if voxels is None else voxels['coors'])


class EagerDetector:
    """Runs a LiDAR detector in PyTorch.

    `predict` is mmdet3d's own `predict` mode, for any LiDAR detector; the three stages are its parts, for `VoxelNet`.
    """

    def __init__(self, model: nn.Module, config: Config) -> None:
        """Wrap a detector.

        Args:
            model: built, in evaluation mode.
            config: its config, for the class names and the columns of a point.
        """
        self.model = model
        self.class_names = class_names(config)
        self.columns = len(point_columns(config)[1])

    def predict(self, points: np.ndarray) -> Detections:
        """Find the objects of one cloud (see `pointkd.runtime.detector.Detector.predict`)."""
        return self.run(self.voxelize(points))

    def run(self, batch: Batch) -> Detections:
        """Find the objects of a cloud that went through `voxelize` (whose voxels the stock encoder overwrites)."""
        if not len(batch):
            return self.decode(None, batch)
        with torch.no_grad():
            sample = self.model(batch.inputs, batch.samples, mode='predict')[0]
        return self._detections(sample.pred_instances_3d, batch)

    def voxelize(self, points: np.ndarray) -> Batch:
        """Drop points that are not finite, and let the model's preprocessor group the rest."""
        from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes

        check_shape(points, f'N {self.columns}', 'points')
        finite = np.isfinite(points).all(axis=1)
        tensor = torch.from_numpy(np.ascontiguousarray(points[finite], dtype=np.float32))
        sample = Det3DDataSample()
        sample.set_metainfo({'box_type_3d': LiDARInstance3DBoxes, 'box_mode_3d': 0})
        raw = {'inputs': {'points': [tensor]}, 'data_samples': [sample]}
        with torch.no_grad():
            batch = self.model.data_preprocessor(raw, training=False)
        return Batch(batch['inputs'], batch['data_samples'], int(len(points) - finite.sum()))

    def network(self, batch: Batch) -> tuple[list[Tensor], ...] | None:
        """Run the network of a `VoxelNet`; None where there is no voxel."""
        if not len(batch):
            return None
        with torch.no_grad():
            return self.model.bbox_head(self.model.extract_feat(batch.inputs))

    def decode(self, maps: tuple[list[Tensor], ...] | None, batch: Batch) -> Detections:
        """Choose the boxes of a `VoxelNet`."""
        if maps is None:
            empty = np.zeros((0, 7), dtype=np.float32), np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int64)
            return Detections(*empty, self.class_names, batch.invalid_points)
        metas = [sample.metainfo for sample in batch.samples]
        with torch.no_grad():
            found = self.model.bbox_head.predict_by_feat(*maps, batch_input_metas=metas)[0]
        return self._detections(found, batch)

    def _detections(self, found: Any, batch: Batch) -> Detections:
        """Turn mmdet3d's instances into ours, by falling score."""
        scores = found.scores_3d.numpy()
        order = np.argsort(-scores, kind='stable')
        boxes, labels = found.bboxes_3d.tensor.numpy()[order], found.labels_3d.numpy()[order]
        return Detections(boxes, scores[order], labels, self.class_names, batch.invalid_points)
