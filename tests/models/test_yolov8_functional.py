import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.models.yolov8.functional import (
    KINDS,
    alignment,
    anchor_points,
    box_iou,
    decode,
    dfl_loss,
    encode,
    expected_distances,
)

EXACT = {'rel': 0, 'abs': 1e-10}
BUMP = -0.5 * (torch.arange(16, dtype=torch.float64) - 4.3) ** 2
PAIRS = [  # boxes, and IoU, GIoU, DIoU, CIoU by a float64 computation in numpy
    ((10, 20, 50, 80), (15, 30, 60, 70), (0.5, 0.4333333333, 0.4907786885, 0.4894358218)),
    ((0, 0, 10, 10), (20, 20, 30, 40), (0, -0.75, -0.41, -0.4116894609)),
    ((0, 0, 4, 2), (1, 0, 5, 2), (0.6, 0.6, 0.5655172414, 0.5655172414)),
]
coordinates = st.floats(-50, 50, allow_nan=False, width=32)
sizes = st.floats(0.125, 40, allow_nan=False, width=32)


def boxes(rows):
    return torch.tensor(rows, dtype=torch.float64)


@st.composite
def box(draw):
    x, y = draw(coordinates), draw(coordinates)
    return [x, y, x + draw(sizes), y + draw(sizes)]


@pytest.mark.parametrize(
    ('target', 'value'), [(4.6, 1.0839382135), (4.0, 0.9639382135), (0.25, 9.2139382135), (14.99, 58.0619382135)]
)
def test_dfl_has_the_reference_values(target, value):
    assert float(dfl_loss(BUMP, torch.tensor(target, dtype=torch.float64))) == pytest.approx(value, **EXACT)


def test_a_uniform_distribution():
    flat = torch.zeros(16, dtype=torch.float64)
    assert float(dfl_loss(flat, torch.tensor(7.5))) == pytest.approx(2.7725887222, **EXACT)
    assert float(expected_distances(flat)) == 7.5
    assert float(expected_distances(BUMP)) == pytest.approx(4.3000016549, **EXACT)


def test_dfl_targets_stay_between_two_bins():
    at = lambda target: float(dfl_loss(BUMP, torch.tensor(target, dtype=torch.float64)))  # noqa: E731
    assert at(-3.0) == at(0.0)
    assert at(15.0) == at(99.0) == at(14.99)


def test_dfl_equals_a_slow_loop():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 4, 16, generator=generator, dtype=torch.float64)
    target = torch.rand(5, 4, generator=generator, dtype=torch.float64) * 14.9
    for row, goal, loss in zip(logits.view(-1, 16), target.view(-1), dfl_loss(logits, target).view(-1), strict=True):
        shares = [math.exp(value) for value in row.tolist()]
        low = int(goal)
        near = [-math.log(shares[bin_] / sum(shares)) for bin_ in (low, low + 1)]
        assert float(loss) == pytest.approx((low + 1 - float(goal)) * near[0] + (float(goal) - low) * near[1])


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 16, generator=generator, dtype=torch.float64, requires_grad=True)
    target = torch.rand(3, 4, generator=generator, dtype=torch.float64) * 14
    assert torch.autograd.gradcheck(lambda x: dfl_loss(x, target), logits)
    assert torch.autograd.gradcheck(expected_distances, logits)
    first, second = boxes([PAIRS[0][0], PAIRS[2][0]]).requires_grad_(), boxes([PAIRS[0][1], PAIRS[2][1]])
    second = second + torch.tensor([0.3, -0.2, 0.5, 0.1])  # no two sides at one place: the minimum has a corner there
    for kind in ('iou', 'giou', 'diou'):
        assert torch.autograd.gradcheck(lambda x, kind=kind: box_iou(x, second, kind), first)


def test_no_gradient_goes_through_the_trade_off_of_ciou():
    first, second = boxes(PAIRS[0][0]).requires_grad_(), boxes(PAIRS[0][1])
    (gradient,) = torch.autograd.grad(box_iou(first, second, 'ciou'), first)
    width, height = 40.0, 60.0
    angle = math.atan(width / height) - math.atan(45 / 40)
    v = 4 / math.pi**2 * angle**2
    alpha = v / (1 - 0.5 + v)
    slope = alpha * 8 / math.pi**2 * angle * height / (width**2 + height**2)  # of α v by the width
    (rest,) = torch.autograd.grad(box_iou(first, second, 'diou'), first)
    assert float(gradient[2]) == pytest.approx(float(rest[2]) - slope)


@pytest.mark.parametrize(('a', 'b', 'values'), PAIRS)
def test_overlaps_have_the_reference_values(a, b, values):
    for kind, value in zip(KINDS, values, strict=True):
        assert float(box_iou(boxes(a), boxes(b), kind)) == pytest.approx(value, **EXACT)
        assert float(box_iou(boxes(b), boxes(a), kind)) == pytest.approx(value, **EXACT)


def test_all_pairs_by_broadcasting():
    rows = boxes([pair[0] for pair in PAIRS] + [pair[1] for pair in PAIRS])
    every = box_iou(rows[:, None], rows[None], 'ciou')
    assert every.shape == (6, 6)
    assert float(every[0, 3]) == pytest.approx(PAIRS[0][2][3], **EXACT)
    assert torch.allclose(every.diagonal(), torch.ones(6, dtype=torch.float64))


@given(box(), box(), st.sampled_from([0.5, 3.0]), coordinates)
def test_overlaps_do_not_depend_on_place_and_size(a, b, factor, shift):
    a, b = boxes(a), boxes(b)
    for kind in KINDS:
        value = float(box_iou(a, b, kind))
        assert float(box_iou(factor * a + shift, factor * b + shift, kind)) == pytest.approx(value, abs=1e-6)
        assert (0 if kind == 'iou' else -2) <= value <= 1 + 1e-9


def test_boxes_without_area_are_finite_with_finite_gradients():
    flat = torch.zeros(3, 4, requires_grad=True)
    for kind in KINDS:
        values = box_iou(flat, torch.tensor([[0.0, 0, 0, 0], [0, 0, 0, 5], [2, 2, 4, 4]]), kind)
        assert values.isfinite().all()
        assert torch.autograd.grad(values.sum(), flat)[0].isfinite().all()
    assert box_iou(torch.zeros(0, 4), torch.zeros(0, 4), 'ciou').shape == (0,)
    assert dfl_loss(torch.zeros(0, 16), torch.zeros(0)).shape == (0,)


def test_half_precision_is_computed_in_float32():
    a, b = torch.tensor(PAIRS[0][0]), torch.tensor(PAIRS[0][1])
    value = box_iou(a.bfloat16(), b.bfloat16(), 'ciou')
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(PAIRS[0][2][3], abs=1e-6)
    assert dfl_loss(BUMP.half(), torch.tensor(4.6)).dtype == torch.float32


@pytest.mark.parametrize(
    ('score', 'overlap', 'value'), [(0.8, 0.7, 0.1052284646), (0.25, 0.9, 0.2657205), (0.9, 0.5, 0.0148231765)]
)
def test_the_metric_of_the_assignment(score, overlap, value):
    found = alignment(*(torch.tensor(number, dtype=torch.float64) for number in (score, overlap)))
    assert float(found) == pytest.approx(value, **EXACT)
    assert float(alignment(torch.tensor(0.5), torch.tensor(-0.4))) == 0


def test_decoding_by_hand_and_back():
    point, distances = torch.tensor([3.5, 2.5]), torch.tensor([1.25, 0.5, 2.0, 3.75])
    found = decode(point, distances, 8)
    assert found.tolist() == [18, 16, 44, 50]
    assert encode(point, found, 8).tolist() == distances.tolist()
    assert encode(point, torch.tensor([40.0, 0, 80, 40]), 8)[0] < 0


def test_anchor_points_row_after_row():
    points, stride = anchor_points([(2, 3), (1, 1)], (8, 16), torch.zeros(1))
    assert points.tolist() == [[0.5, 0.5], [1.5, 0.5], [2.5, 0.5], [0.5, 1.5], [1.5, 1.5], [2.5, 1.5], [0.5, 0.5]]
    assert stride.flatten().tolist() == [8] * 6 + [16]
    assert len(anchor_points([(80, 80), (40, 40), (20, 20)], (8, 16, 32), torch.zeros(1))[0]) == 8400


def test_wrong_input_is_named():
    with pytest.raises(ConfigError, match='choose one of iou, giou, diou, ciou'):
        box_iou(torch.zeros(1, 4), torch.zeros(1, 4), 'siou')
    with pytest.raises(ShapeError, match='boxes'):
        box_iou(torch.zeros(1, 5), torch.zeros(1, 4))
    with pytest.raises(ShapeError, match='broadcast'):
        box_iou(torch.zeros(2, 4), torch.zeros(3, 4))
    with pytest.raises(ShapeError, match='same leading shape'):
        dfl_loss(torch.zeros(3, 16), torch.zeros(4))
    with pytest.raises(ShapeError, match='2 or more'):
        dfl_loss(torch.zeros(3, 1), torch.zeros(3))
