import dataclasses

import numpy as np
import pytest

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.runtime.anchors import Anchors
from pointkd.runtime.decode import Decoder, DecodeSettings, HeadMaps

ANCHORS = Anchors(3, 4, ((0.0, 0.0, -1.0, 40.0, 30.0, -1.0),), ((4.0, 2.0, 1.5),), (0.0, 1.57))
SETTINGS = DecodeSettings(0.3, 10, 5, 0.1, True, direction_offset=0.7854, direction_limit_offset=0.0)
CLASSES = 2


def logit(score):
    return np.log(score / (1 - score))


def maps():
    """Maps of a head that sees nothing: scores of 0.01, no offsets, first direction."""
    height, width, count = ANCHORS.height, ANCHORS.width, ANCHORS.per_cell
    directions = np.zeros((count, 2, height, width), dtype=np.float32)
    directions[:, 0] = 1
    return HeadMaps(
        np.full((count * CLASSES, height, width), logit(0.01), dtype=np.float32),
        np.zeros((count * 7, height, width), dtype=np.float32),
        directions.reshape(-1, height, width),
    )


def decode(given, **changes):
    return Decoder(ANCHORS, CLASSES, dataclasses.replace(SETTINGS, **changes))(given)


def test_nothing_above_the_threshold_gives_nothing():
    boxes, scores, labels = decode(maps())
    assert boxes.shape == (0, 7)
    assert scores.shape == labels.shape == (0,)


def test_one_anchor_answers():
    given = maps()
    given.classes[1 * CLASSES + 1, 2, 3] = logit(0.8)  # anchor 1 (yaw 1.57), class 1
    given.boxes[7:14, 2, 3] = [0.5, -0.5, 0.2, np.log(1.1), 0, np.log(2), 0.1]
    boxes, scores, labels = decode(given)
    diagonal = np.hypot(4, 2)
    height = 1.5 * 2
    wanted = [35 + 0.5 * diagonal, 25 - 0.5 * diagonal, -1 + 0.75 + 0.2 * 1.5 - height / 2, 4.4, 2, height, 1.67]
    np.testing.assert_allclose(boxes[0], wanted, rtol=1e-5)
    np.testing.assert_allclose(scores, [0.8], rtol=1e-6)
    assert labels.tolist() == [1]


@pytest.mark.parametrize(('yaw', 'direction', 'wanted'), [(0.0, 0, np.pi), (0.0, 1, 2 * np.pi), (1.0, 0, 1.0)])
def test_direction_turns_the_box(yaw, direction, wanted):
    given = maps()
    given.classes[0, 0, 0] = logit(0.8)
    given.boxes[6, 0, 0] = yaw
    given.directions[:2, 0, 0] = [direction == 0, direction == 1]
    np.testing.assert_allclose(decode(given)[0][0, 6], wanted, rtol=1e-6)


def test_suppression_is_within_a_class_and_can_ignore_the_yaw():
    given = maps()
    given.classes[0, 0, 0] = logit(0.9)  # class 0, lying along x
    given.classes[CLASSES, 0, 0] = logit(0.8)  # class 0, across: overlap 1/3
    given.classes[1, 0, 0] = logit(0.7)  # class 1, same box as the first
    assert decode(given)[2].tolist() == [0, 1]
    assert decode(given, nms_threshold=0.5)[2].tolist() == [0, 0, 1]
    assert decode(given, nms_threshold=0.5, nms_rotated=False)[2].tolist() == [0, 1]


def test_limits_keep_the_best():
    given = maps()
    scores = np.linspace(0.9, 0.4, ANCHORS.height * ANCHORS.width)
    given.classes[0] = logit(scores).reshape(ANCHORS.height, ANCHORS.width)
    np.testing.assert_allclose(decode(given)[1], scores[:5], rtol=1e-5)
    np.testing.assert_allclose(decode(given, max_candidates=3)[1], scores[:3], rtol=1e-5)
    np.testing.assert_allclose(decode(given, max_candidates=0, max_boxes=50)[1], scores, rtol=1e-5)
    np.testing.assert_allclose(decode(given, score_threshold=0.6, max_boxes=50)[1], scores[scores > 0.6], rtol=1e-5)


def test_threshold_zero_takes_every_anchor():
    assert len(decode(maps(), score_threshold=0.0, max_candidates=0, max_boxes=500)[1]) > 5


def test_extreme_logits_are_no_problem():
    given = maps()
    given.classes[0, 0, 0] = 500.0
    given.classes[0, 1, 1] = -500.0
    with np.errstate(all='raise', under='ignore'):
        assert decode(given)[1].tolist() == [1.0]


def test_wrong_input_is_refused():
    given = maps()
    with pytest.raises(ShapeError, match='boxes map'):
        decode(given._replace(boxes=given.boxes[:-1]))
    with pytest.raises(ConfigError, match='max_boxes'):
        dataclasses.replace(SETTINGS, max_boxes=0)
