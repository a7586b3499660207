"""Transforms of images for the YOLOv8-like detector. Importing this package registers them with mmdet and mmengine."""

from pointkd.ops import standin

standin.install()  # before mmdet is imported, here or in a module of this package

from pointkd.datasets.yolov8.affine import CentredAffine  # noqa: E402
from pointkd.datasets.yolov8.colour import HsvGain  # noqa: E402
from pointkd.datasets.yolov8.letterbox import Letterbox  # noqa: E402
from pointkd.datasets.yolov8.mosaic import MosaicCanvas, MosaicMixUp  # noqa: E402

__all__ = ['CentredAffine', 'HsvGain', 'Letterbox', 'MosaicCanvas', 'MosaicMixUp']
