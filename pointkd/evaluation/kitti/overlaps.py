"""Compiled overlaps: image boxes, rectangles on the ground (exact convex clipping) and 3D boxes, in float64."""

from __future__ import annotations

import numpy as np

from pointkd.evaluation.jit import kernel

# Columns of a 3D box: h, w, l, x, y, z, rotation_y. Columns of an overlap: image, ground, 3D.


@kernel
def find_pairs(  # type: ignore[no-untyped-def]
    label_group, label_2d, label_3d, label_starts, class_, small, detection_2d, detection_3d, detection_starts, floors
):
    """Find every label and detection of a frame that may match, with their overlaps.

    Args:
        label_group: (L,) int64, class that a label belongs to, -1 for none.
        label_2d, label_3d: (L, 4), (L, 7) float64 boxes.
        label_starts: (F+1,) int64, first label of each frame.
        class_: (D,) int64, class of a detection, -1 for none.
        small: (D,) bool, low enough to be taken by a label of another class.
        detection_2d, detection_3d: (D, 4), (D, 7) float64 boxes.
        detection_starts: (F+1,) int64.
        floors: (3, C) float64, overlap by metric and class that one of the three must exceed.

    Returns:
        starts: (L+1,) int64, first pair of each label;
        detections: (P,) int64, in the order of the file;
        overlaps: (P, 3) float64, image, ground, 3D.
    """
    starts = np.zeros(label_group.size + 1, np.int64)
    detections = np.empty(1024, np.int64)
    overlaps = np.empty((1024, 3))
    room = np.empty((4, 20, 2))
    count = 0
    for frame in range(label_starts.size - 1):
        for label in range(label_starts[frame], label_starts[frame + 1]):
            group = label_group[label]
            if group >= 0:
                for other in range(detection_starts[frame], detection_starts[frame + 1]):
                    if class_[other] != group and not small[other]:
                        continue
                    image = _image_overlap(detection_2d[other], label_2d[label])
                    ground, space = _box_overlaps(detection_3d[other], label_3d[label], room)
                    if not (image > floors[0, group] or ground > floors[1, group] or space > floors[2, group]):
                        continue
                    if count == detections.size:
                        detections = np.append(detections, np.empty_like(detections))
                        overlaps = np.append(overlaps, np.empty_like(overlaps), axis=0)
                    detections[count] = other
                    overlaps[count, 0], overlaps[count, 1], overlaps[count, 2] = image, ground, space
                    count += 1
            starts[label + 1] = count
    return starts, detections[:count], overlaps[:count]


@kernel
def dont_care_shares(  # type: ignore[no-untyped-def]
    dont_care, label_2d, label_3d, label_starts, detection_2d, detection_3d, detection_starts
):
    """Return (D, 3) float64: the largest share of a detection that lies in one DontCare area, by metric.

    The areas have no place in space, so on the ground and in 3D the share is 0 unless a detection has none either.

    Args:
        dont_care: (L,) bool, labels that are such areas.
        label_2d, label_3d, label_starts, detection_2d, detection_3d, detection_starts: as for `find_pairs`.
    """
    shares = np.zeros((detection_2d.shape[0], 3))
    room = np.empty((4, 20, 2))
    for frame in range(label_starts.size - 1):
        for label in range(label_starts[frame], label_starts[frame + 1]):
            if not dont_care[label]:
                continue
            for other in range(detection_starts[frame], detection_starts[frame + 1]):
                box = detection_3d[other]
                area = _ground_intersection(box, label_3d[label], room)
                volume = area * _common_height(box, label_3d[label])
                image = _image_intersection(detection_2d[other], label_2d[label]) / _image_area(detection_2d[other])
                ground, space = area / (box[1] * box[2]), volume / (box[0] * box[1] * box[2])
                for metric, share in enumerate((image, ground, space)):
                    if share > shares[other, metric]:  # false for NaN: a box without area
                        shares[other, metric] = share
    return shares


@kernel
def _image_area(box):  # type: ignore[no-untyped-def]
    return (box[2] - box[0]) * (box[3] - box[1])


@kernel
def _image_intersection(first, second):  # type: ignore[no-untyped-def]
    """Return the area, in square pixels, that two upright boxes share."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return width * height if width > 0 and height > 0 else 0.0


@kernel
def _image_overlap(first, second):  # type: ignore[no-untyped-def]
    """Return intersection over union of two upright boxes."""
    shared = _image_intersection(first, second)
    return shared / (_image_area(first) + _image_area(second) - shared) if shared > 0 else 0.0


@kernel
def _common_height(first, second):  # type: ignore[no-untyped-def]
    """Return how far two boxes share the vertical, metres; y is the bottom and points down."""
    return max(0.0, min(first[4], second[4]) - max(first[4] - first[0], second[4] - second[0]))


@kernel
def _box_overlaps(first, second, room):  # type: ignore[no-untyped-def]
    """Return intersection over union on the ground and in 3D."""
    area = _ground_intersection(first, second, room)
    if area <= 0:
        return 0.0, 0.0
    ground = area / (first[1] * first[2] + second[1] * second[2] - area)
    volume = area * _common_height(first, second)
    space = volume / (first[0] * first[1] * first[2] + second[0] * second[1] * second[2] - volume)
    return ground, space


@kernel
def _ground_intersection(first, second, room):  # type: ignore[no-untyped-def]
    """Return the area that two rotated rectangles share on the ground, square metres.

    The first rectangle is brought into the frame of the second, where that one is upright about the origin, and clipped
    at its four sides (Sutherland and Hodgman). Coordinates stay as small as the boxes, so that rounding does too.

    Args:
        first, second: (7,) boxes.
        room: (4, 20, 2) float64, scratch: a cut leaves at most half as many corners again (4, 6, 9, 13, 19), whatever
            rounding does; 8 where it does nothing.
    """
    along, across = abs(second[2]) / 2, abs(second[1]) / 2
    half_length, half_width = abs(first[2]) / 2, abs(first[1]) / 2
    dx, dz = first[3] - second[3], first[5] - second[5]
    reach = np.sqrt(along * along + across * across) + np.sqrt(half_length * half_length + half_width * half_width)
    if dx * dx + dz * dz >= reach * reach:
        return 0.0
    cos, sin = np.cos(second[6]), np.sin(second[6])
    u, v = dx * cos - dz * sin, dx * sin + dz * cos
    cos, sin = np.cos(first[6] - second[6]), np.sin(first[6] - second[6])
    polygon = room[0]
    for corner in range(4):
        length = half_length if corner in (0, 3) else -half_length
        width = half_width if corner < 2 else -half_width
        polygon[corner, 0] = u + length * cos + width * sin
        polygon[corner, 1] = v - length * sin + width * cos
    size = _clip(polygon, 4, 0, 1.0, along, room[1])
    size = _clip(room[1], size, 0, -1.0, along, room[2])
    size = _clip(room[2], size, 1, 1.0, across, room[3])
    size = _clip(room[3], size, 1, -1.0, across, room[0])
    return _polygon_area(room[0], size)


@kernel
def _clip(polygon, size, axis, sign, limit, clipped):  # type: ignore[no-untyped-def]
    """Cut a convex polygon to the side where sign * coordinate <= limit; return the number of corners left."""
    count = 0
    for index in range(size):
        after = index + 1 if index + 1 < size else 0
        here, there = limit - sign * polygon[index, axis], limit - sign * polygon[after, axis]
        if here >= 0:
            clipped[count, 0], clipped[count, 1] = polygon[index, 0], polygon[index, 1]
            count += 1
        if (here > 0 and there < 0) or (here < 0 and there > 0):
            share = here / (here - there)
            clipped[count, axis] = sign * limit
            clipped[count, 1 - axis] = polygon[index, 1 - axis] + share * (
                polygon[after, 1 - axis] - polygon[index, 1 - axis]
            )
            count += 1
    return count


@kernel
def _polygon_area(polygon, size):  # type: ignore[no-untyped-def]
    """Return the area of a polygon by the shoelace formula (either direction of turn)."""
    twice = 0.0
    for index in range(size):
        after = index + 1 if index + 1 < size else 0
        twice += polygon[index, 0] * polygon[after, 1] - polygon[after, 0] * polygon[index, 1]
    return abs(twice) / 2
