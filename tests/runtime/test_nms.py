import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.errors import ShapeError
from pointkd.runtime.nms import rotated_iou, rotated_nms


def golden_cases(golden, name):
    stored = np.load(golden / 'mmcv_ops' / f'{name}.npz')
    for case, entry in json.loads(str(stored['meta'])).items():
        sign = np.array([1, 1, 1, 1, 1 if entry['params'].get('clockwise', True) else -1])
        yield case, entry['params'], sign, stored


def test_overlap_equals_the_compiled_operator(golden):
    compared = 0
    for case, params, sign, stored in golden_cases(golden, 'box_iou_rotated'):
        if params['mode'] != 'iou':
            continue
        wanted = stored[f'{case}/out.ious']
        overlap = rotated_iou(stored[f'{case}/in.bboxes1'] * sign, stored[f'{case}/in.bboxes2'] * sign)
        if params['aligned']:
            overlap = np.diagonal(overlap)
        np.testing.assert_allclose(overlap, wanted, atol=1e-5, err_msg=case)
        compared += 1
    assert compared > 20


def test_suppression_equals_the_compiled_operator(golden):
    compared = 0
    for case, params, sign, stored in golden_cases(golden, 'nms_rotated'):
        if f'{case}/out.inds' not in stored or 'labels' in case:
            continue
        if case.startswith('equal_scores'):  # torch's sort, which is not stable, decides there
            continue
        kept = rotated_nms(stored[f'{case}/in.dets'] * sign, stored[f'{case}/in.scores'], params['iou_threshold'])
        np.testing.assert_array_equal(kept, stored[f'{case}/out.inds'], err_msg=case)
        compared += 1
    assert compared > 10


def test_known_overlaps():
    square = np.array([[0.0, 0, 2, 2, 0]])
    others = np.array(
        [
            [0, 0, 2, 2, np.pi / 2],  # itself
            [1, 0, 2, 2, 0],  # half of it
            [0, 0, 2, 2, np.pi / 4],  # an octagon
            [0, 0, 1, 1, 0.3],  # inside
            [2, 0, 2, 2, 0],  # a common edge
            [9, 0, 2, 2, 0],
            [0, 0, 0, 2, 0],  # no area
        ]
    )
    octagon = 8 * (np.sqrt(2) - 1)
    wanted = [1, 1 / 3, octagon / (8 - octagon), 0.25, 0, 0, 0]
    np.testing.assert_allclose(rotated_iou(square, others)[0], wanted, atol=1e-12)


def random_boxes(random, count):
    return np.concatenate(
        [random.uniform(-3, 3, (count, 2)), random.uniform(0.2, 4, (count, 2)), random.uniform(-4, 4, (count, 1))],
        axis=1,
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), turn=st.floats(-7, 7), scale=st.floats(0.1, 10))
def test_overlap_is_symmetric_and_moves_with_the_boxes(seed, turn, scale):
    random = np.random.default_rng(seed)
    first, second = random_boxes(random, 6), random_boxes(random, 5)
    overlap = rotated_iou(first, second)
    np.testing.assert_allclose(rotated_iou(second, first).T, overlap, atol=1e-9)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])

    def moved(boxes):
        return np.concatenate(
            [(boxes[:, :2] @ rotation + 5) * scale, boxes[:, 2:4] * scale, boxes[:, 4:] + turn], axis=1
        )

    np.testing.assert_allclose(rotated_iou(moved(first), moved(second)), overlap, atol=1e-9)
    np.testing.assert_allclose(np.diagonal(rotated_iou(first, first)), 1, atol=1e-9)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 300), threshold=st.floats(0.0, 0.7))
def test_suppression_equals_a_slow_loop(seed, count, threshold):
    random = np.random.default_rng(seed)
    boxes = random_boxes(random, count) * [8, 8, 1, 1, 1]
    scores = random.integers(0, 40, count) / 40  # with ties
    kept = []
    for index in np.argsort(-scores, kind='stable'):
        if not kept or rotated_iou(boxes[[index]], boxes[kept]).max() <= threshold:
            kept.append(index)
    assert rotated_nms(boxes, scores, threshold).tolist() == kept


def test_wrong_shapes_are_refused():
    with pytest.raises(ShapeError, match='first'):
        rotated_iou(np.zeros((2, 7)), np.zeros((2, 5)))
