import pytest
import torch
from helpers.yolov8 import by_loop, scene

from pointkd.models.yolov8.assign import Objects, task_aligned


def as_dict(positives):
    rows = zip(*(entry.tolist() for entry in positives), strict=True)
    return {(image, anchor): (box, target) for image, anchor, box, target in rows}


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('topk', [1, 3, 10])
def test_equals_a_slow_loop(seed, topk):
    inputs = scene(seed)
    ours, slow = as_dict(task_aligned(*inputs, topk=topk)), by_loop(*inputs, topk=topk)
    assert ours.keys() == slow.keys()
    for place, (box, target) in slow.items():
        assert ours[place][0] == box
        assert ours[place][1] == pytest.approx(target, rel=1e-9)


def test_reference_values_of_the_soft_targets():
    # three points in one box, with the scores and overlaps of the reference
    points = torch.tensor([[1.0, 1.0], [2.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    goal = torch.tensor([[0.0, 0, 40, 40]], dtype=torch.float64)
    logits = torch.tensor([0.8, 0.25, 0.9], dtype=torch.float64).logit().view(1, 3, 1)
    wanted = torch.tensor([0.7, 0.9, 0.5], dtype=torch.float64)
    # a square of the area share u around the same centre has CIoU u
    half = 20 * wanted.sqrt().unsqueeze(1)
    boxes = torch.cat([20 - half, 20 - half, 20 + half, 20 + half], 1)
    distances = torch.cat([points - boxes[:, :2] / 8, boxes[:, 2:] / 8 - points], 1).unsqueeze(0)
    stride = torch.full((3, 1), 8.0, dtype=torch.float64)
    objects = Objects(torch.zeros(1, dtype=torch.int64), goal, torch.zeros(1, dtype=torch.int64))
    found = as_dict(task_aligned(logits, distances, points, stride, objects))
    targets = [found[0, anchor][1] for anchor in range(3)]
    assert targets == pytest.approx([0.3564106576, 0.9, 0.0502063592], abs=1e-10)


def test_a_point_belongs_to_one_object_and_only_points_inside_count():
    scores, distances, points, stride, objects = scene(1, objects=12)
    found = task_aligned(scores, distances, points, stride, objects)
    places = list(zip(found.image.tolist(), found.anchor.tolist(), strict=True))
    assert len(set(places)) == len(places) > 0
    assert (found.image == objects.image[found.box]).all()
    inside = (points * stride)[found.anchor]
    assert ((inside > objects.boxes[found.box, :2]) & (inside < objects.boxes[found.box, 2:])).all()
    assert torch.bincount(found.box).max() <= 10
    assert ((found.target > 0) & (found.target <= 1)).all()


def test_the_order_of_the_images_does_not_matter():
    scores, distances, points, stride, objects = scene(2)
    swapped = Objects(1 - objects.image, objects.boxes, objects.labels)
    one = as_dict(task_aligned(scores, distances, points, stride, objects))
    other = as_dict(task_aligned(scores.flip(0), distances.flip(0), points, stride, swapped))
    assert {(1 - image, anchor): value for (image, anchor), value in other.items()} == one


@pytest.mark.parametrize('boxes', [torch.zeros(0, 4), torch.tensor([[900.0, 900, 950, 950]]), torch.zeros(1, 4)])
def test_no_object_and_objects_without_points(boxes):
    scores, distances, points, stride, _ = scene(0, dtype=torch.float32)
    count = torch.zeros(len(boxes), dtype=torch.int64)
    found = task_aligned(scores, distances, points, stride, Objects(count, boxes, count))
    assert all(len(entry) == 0 for entry in found)
