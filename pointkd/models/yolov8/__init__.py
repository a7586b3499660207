"""A YOLOv8-like detector. Importing this package registers its parts in the registries of mmdet and mmengine."""

from pointkd.ops import standin

standin.install()  # before mmdet is imported, here or in a module of this package

from pointkd.models.yolov8.backbone import YOLOv8Backbone  # noqa: E402
from pointkd.models.yolov8.detector import YOLOv8  # noqa: E402
from pointkd.models.yolov8.head import YOLOv8Head  # noqa: E402
from pointkd.models.yolov8.neck import YOLOv8Neck  # noqa: E402
from pointkd.models.yolov8.scale import SCALES, Scale  # noqa: E402

__all__ = ['SCALES', 'Scale', 'YOLOv8', 'YOLOv8Backbone', 'YOLOv8Head', 'YOLOv8Neck']
