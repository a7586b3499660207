"""The label file of a scene: 2D boxes, truncation, occlusion, DontCare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointkd.core.boxes import lidar_to_camera_boxes, points_in_box, wrap_angle
from pointkd.core.kitti import KittiObjects
from pointkd.datasets.synthetic_kitti.camera import Camera, clip_to_image
from pointkd.datasets.synthetic_kitti.casting import Caster
from pointkd.datasets.synthetic_kitti.scene import Scene

# Share in sight from which an object counts as visible, partly occluded, largely occluded; below: unknown (3).
VISIBLE, PARTLY, LARGELY = 0.75, 0.40, 0.08
HIDDEN = 0.02  # and below this a labeller would not have found it
MIN_BOX_PX = 4.0  # smaller ones are not written at all
MAX_TRUNCATION = 0.95
RAYS_A_SIDE = 20


@dataclass(frozen=True)
class _Shown:
    """The K objects that the image shows: their number in the scene and what the label says about them."""

    numbers: list[int]
    boxes: np.ndarray  # (K, 7)
    boxes_2d: np.ndarray  # (K, 4) cut to the image
    truncation: np.ndarray  # (K,)
    seen: np.ndarray  # (K,) share in sight


def label_scene(scene: Scene, caster: Caster, camera: Camera, points: np.ndarray, range_m: float) -> KittiObjects:
    """Return the objects of a scene as KITTI labels them.

    Args:
        scene: what is there.
        caster: the same scene, for the share of each object that the camera sees.
        camera: the frame's camera.
        points: (N, 4) the scan.
        range_m: objects farther than this become DontCare.

    Returns:
        Objects that the image shows, near ones first, then DontCare regions: too far, cut by the image's border to
        almost nothing, without a point of the scan, or out of sight.
    """
    shown = _shown(scene, caster, camera)
    if shown is None:
        return KittiObjects()
    distance = np.hypot(shown.boxes[:, 0], shown.boxes[:, 1])
    visible = shown.seen > HIDDEN
    scanned = np.array([points_in_box(points, box).any() for box in shown.boxes])
    cared = visible & scanned & (distance <= range_m) & (shown.truncation <= MAX_TRUNCATION)
    order = np.argsort(distance, kind='stable')
    return _rows(scene, camera, shown, order[cared[order]], order[(visible & ~cared)[order]])


def _shown(scene: Scene, caster: Caster, camera: Camera) -> _Shown | None:
    """Measure the objects whose 2D box is large enough to be written; None where there is none."""
    numbers, boxes_2d, truncation = [], [], []
    for number, item in enumerate(scene.objects):
        full = camera.box_2d(item.mesh)
        if full is None:
            continue
        clipped = clip_to_image(full)
        width, height = clipped[2:] - clipped[:2]
        if min(width, height) >= MIN_BOX_PX:
            numbers.append(number)
            boxes_2d.append(clipped)
            truncation.append(1.0 - width * height / float(np.prod(full[2:] - full[:2])))
    if not numbers:
        return None
    regions = np.stack(boxes_2d)
    seen = _seen_share(caster, camera, regions, numbers, len(scene.objects))
    boxes = np.stack([scene.objects[number].box for number in numbers])
    return _Shown(numbers, boxes, regions, np.array(truncation), seen)


def _seen_share(caster: Caster, camera: Camera, boxes_2d: np.ndarray, numbers: list[int], count: int) -> np.ndarray:
    """Return the share of each shown object that is in sight, by a grid of rays through its 2D box."""
    steps = (np.arange(RAYS_A_SIDE) + 0.5) / RAYS_A_SIDE
    grid = np.stack([axis.ravel() for axis in np.meshgrid(steps, steps)], axis=1)  # (G, 2)
    pixels = boxes_2d[:, None, :2] + grid[None] * (boxes_2d[:, None, 2:] - boxes_2d[:, None, :2])
    targets = np.repeat(numbers, len(grid))
    return caster.seen_share(camera.centre(), camera.rays(pixels.reshape(-1, 2)), targets, count)[numbers]


def _rows(scene: Scene, camera: Camera, shown: _Shown, labelled: np.ndarray, ignored: np.ndarray) -> KittiObjects:
    """Return the rows of the label file: labelled objects, then DontCare regions."""
    location, dimensions, rotation = lidar_to_camera_boxes(shown.boxes, camera.calibration.lidar_to_camera)
    alpha = wrap_angle(rotation - np.arctan2(location[:, 0], location[:, 2]))
    occlusion = np.select([shown.seen >= VISIBLE, shown.seen >= PARTLY, shown.seen >= LARGELY], [0, 1, 2], 3)
    void = len(ignored)
    return KittiObjects(
        names=[scene.objects[shown.numbers[row]].name for row in labelled] + ['DontCare'] * void,
        truncation=np.concatenate([shown.truncation[labelled], np.full(void, -1.0)]),
        occlusion=np.concatenate([occlusion[labelled], np.full(void, -1)]),
        alpha=np.concatenate([alpha[labelled], np.full(void, -10.0)]),
        boxes_2d=np.concatenate([shown.boxes_2d[labelled], shown.boxes_2d[ignored]]),
        dimensions=np.concatenate([dimensions[labelled], np.full((void, 3), -1.0)]),
        location=np.concatenate([location[labelled], np.full((void, 3), -1000.0)]),
        rotation_y=np.concatenate([rotation[labelled], np.full(void, -10.0)]),
    )
