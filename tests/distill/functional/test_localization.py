"""Divergence of box sides and its regions: reference values, a slow loop, mmdet's loss and assigner, gradients."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional import box_regions, localization

BINS = torch.arange(16, dtype=torch.float64)
TEACHER, STUDENT = -0.25 * (BINS - 5) ** 2, -0.5 * (BINS - 4.3) ** 2


def random_sides(seed, cells=5, bins=8):
    return torch.randn(cells, 4, bins, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def slow(student, teacher, tau, weights):
    total = 0.0
    for mine, theirs, weight in zip(student.tolist(), teacher.tolist(), weights.tolist(), strict=True):
        for s, t in zip(mine, theirs, strict=True):
            norms = [math.log(sum(math.exp(v / tau) for v in z)) for z in (s, t)]
            logs = [[v / tau - norm for v in z] for z, norm in zip((s, t), norms, strict=True)]
            kl = sum(math.exp(b) * (b - a) for a, b in zip(*logs, strict=True))
            total += weight * kl * tau**2 / len(s) / 4
    return total / sum(weights.tolist())


def test_reference_values():
    student, teacher = (z.expand(3, 4, 16) for z in (STUDENT, TEACHER))
    loss = localization(student, teacher, 10.0, torch.tensor([1.0, 0.0, 0.3]))
    assert float(loss) == pytest.approx(0.8164053291, abs=1e-9)
    assert float(loss) * 16 == pytest.approx(13.0624852655, abs=1e-8)


@pytest.mark.parametrize('tau', [1.0, 10.0])
def test_equals_the_slow_loop(tau):
    weights = torch.tensor([0.3, 0.0, 1.0, 0.5, 0.2])
    expected = slow(random_sides(1), random_sides(2), tau, weights.double())
    assert float(localization(random_sides(1), random_sides(2), tau, weights.double())) == pytest.approx(expected)


def test_equals_mmdets_loss():
    from mmdet.models.losses import KnowledgeDistillationKLDivLoss

    reference = KnowledgeDistillationKLDivLoss(reduction='mean', T=10)
    expected = reference(random_sides(1).flatten(0, 1), random_sides(2).flatten(0, 1))
    ours = localization(random_sides(1), random_sides(2), 10.0, torch.ones(5))
    assert float(ours) == pytest.approx(float(expected), rel=1e-9)


def test_gradients_reach_the_student_alone():
    student, teacher = random_sides(1).requires_grad_(), random_sides(2).requires_grad_()
    weights = torch.tensor([0.3, 0.0, 1.0, 0.5, 0.2], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: localization(x, teacher.detach(), 3.0, weights), (student,))
    localization(student, teacher, 3.0, weights).backward()
    assert teacher.grad is None
    assert (student.grad.abs().sum((1, 2)) > 0).tolist() == [True, False, True, True, True]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_finite_in_half_formats(dtype):
    student = (random_sides(1) * 1e4).to(dtype).requires_grad_()
    with torch.autocast('cpu', torch.bfloat16):
        loss = localization(student, (random_sides(2) * 1e4).to(dtype), 1.0, torch.ones(5))
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


@pytest.mark.parametrize('cells', [0, 5])
def test_nothing_to_compare_gives_zero_with_a_gradient_path(cells):
    student = random_sides(1, cells).float().requires_grad_()
    loss = localization(student, random_sides(2, cells).float(), 10.0, torch.zeros(cells))
    loss.backward()
    assert loss.item() == 0
    assert student.grad.isfinite().all()


def test_bad_input():
    with pytest.raises(ShapeError, match='equal shapes'):
        localization(random_sides(1), random_sides(2, bins=7), 1.0, torch.ones(5))
    with pytest.raises(ShapeError, match='R, 4, B'):
        localization(torch.zeros(5, 3, 8), torch.zeros(5, 3, 8), 1.0, torch.ones(5))
    with pytest.raises(ShapeError, match='weights'):
        localization(random_sides(1), random_sides(2), 1.0, torch.ones(4))
    with pytest.raises(ConfigError, match='tau'):
        localization(random_sides(1), random_sides(2), 0.0, torch.ones(5))


# -- regions -----------------------------------------------------------------------------------------------------------


def pyramid(image=128, offset=0.0):
    """Centres and strides of the cells of three levels."""
    centres, strides = [], []
    for stride in (8, 16, 32):
        cells = torch.arange(image // stride).float()
        grid = torch.stack(torch.meshgrid(cells, cells, indexing='xy'), -1).reshape(-1, 2)
        centres.append((grid + offset) * stride)
        strides.append(torch.full((len(grid),), float(stride)))
    return torch.cat(centres), torch.cat(strides)


def random_boxes(count, seed):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * 80
    return torch.cat([corner, corner + 6 + torch.rand(count, 2, generator=generator) * 60], dim=1)


def assigned(centres, strides, boxes, scale):
    """Cells that mmdet's ATSS assigner gives to any box."""
    from mmdet.models.task_modules.assigners import ATSSAssigner
    from mmengine.structures import InstanceData

    half = (strides * scale / 2)[:, None]
    priors = InstanceData(priors=torch.cat([centres - half, centres + half], 1))
    truth = InstanceData(bboxes=boxes, labels=torch.zeros(len(boxes), dtype=torch.int64))
    counts = [int((strides == stride).sum()) for stride in strides.unique()]
    return ATSSAssigner(topk=9).assign(priors, counts, truth).gt_inds > 0


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(1, 6), st.integers(0, 1000), st.sampled_from([4.0, 8.0]))
def test_the_main_region_is_what_atss_assigns(count, seed, scale):
    centres, strides = pyramid()
    boxes = random_boxes(count, seed)
    main, _ = box_regions(centres, strides, boxes, scale=scale)
    assert torch.equal(main, assigned(centres, strides, boxes, scale))


def slow_ring(centres, strides, box, scale, ring):
    """The cells whose distance-IoU with one box lies in the ring, with plain floats."""

    def overlaps(centre, side):
        anchor = [centre[0] - side / 2, centre[1] - side / 2, centre[0] + side / 2, centre[1] + side / 2]
        width = max(0, min(anchor[2], box[2]) - max(anchor[0], box[0]))
        height = max(0, min(anchor[3], box[3]) - max(anchor[1], box[1]))
        union = side**2 + (box[2] - box[0]) * (box[3] - box[1]) - width * height
        hull = [max(anchor[2], box[2]) - min(anchor[0], box[0]), max(anchor[3], box[3]) - min(anchor[1], box[1])]
        shift = [centre[0] - (box[0] + box[2]) / 2, centre[1] - (box[1] + box[3]) / 2]
        iou = width * height / union
        return iou, iou - (shift[0] ** 2 + shift[1] ** 2) / (hull[0] ** 2 + hull[1] ** 2), math.hypot(*shift)

    rows = [overlaps(centre, side * scale) for centre, side in zip(centres.tolist(), strides.tolist(), strict=True)]
    nearest = []
    for stride in sorted(set(strides.tolist())):
        level = [n for n, side in enumerate(strides.tolist()) if side == stride]
        nearest += sorted(level, key=lambda n: rows[n][2])[:9]
    ious = [rows[n][0] for n in nearest]
    mean = sum(ious) / len(ious)
    threshold = mean + math.sqrt(sum((value - mean) ** 2 for value in ious) / (len(ious) - 1))
    return [ring * threshold <= row[1] < threshold for row in rows]


@pytest.mark.parametrize('seed', range(4))
def test_the_ring_equals_the_slow_loop(seed):
    centres, strides = pyramid(offset=0.5)
    boxes = random_boxes(1, seed)
    main, ring = box_regions(centres, strides, boxes, ring=0.25)
    wanted = torch.tensor(slow_ring(centres, strides, boxes[0].tolist(), 8.0, 0.25))
    assert torch.equal(ring, wanted & ~main)
    assert ring.any()
    assert not (main & ring).any()
    assert not box_regions(centres, strides, boxes, ring=1.0)[1].any()


def test_regions_of_nothing():
    centres, strides = pyramid()
    assert not torch.stack(box_regions(centres, strides, torch.zeros(0, 4))).any()
    assert box_regions(torch.zeros(0, 2), torch.zeros(0), random_boxes(2, 0))[0].shape == (0,)
    single = box_regions(torch.tensor([[20.0, 20.0]]), torch.tensor([8.0]), torch.tensor([[0.0, 0.0, 40.0, 40.0]]))
    assert single[0].tolist() == [True]  # one candidate has no spread
