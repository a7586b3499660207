import dataclasses

import numpy as np
import pytest

from pointkd.core.errors import ExportError
from pointkd.export.clouds import made_up_clouds
from pointkd.export.eager import EagerDetector
from pointkd.export.parity import Difference, Parity, compare, measure_parity
from pointkd.io.build import build_model
from pointkd.io.config import load_config
from pointkd.runtime.decode import DecodeSettings
from pointkd.runtime.detections import Detections
from pointkd.runtime.detector import Detector

SETTINGS = DecodeSettings(0.1, 100, 3, 0.01, True, 0.0, 0.0)
NAMES = ('Car', 'Cyclist')


def found(*rows):
    """Detections from rows of x, yaw, score, label."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    boxes = np.zeros((len(table), 7), dtype=np.float32)
    boxes[:, 0], boxes[:, 3:6], boxes[:, 6] = table[:, 0], 1, table[:, 1]
    return Detections(boxes, table[:, 2].astype(np.float32), table[:, 3].astype(np.int64), NAMES)


def test_equal_detections_do_not_differ():
    one = found((1, 0, 0.9, 0), (5, 1, 0.5, 1))
    assert compare(one, one, SETTINGS) == Difference(boxes=2)
    assert compare(found(), found(), SETTINGS) == Difference()


def test_order_and_whole_turns_are_no_difference():
    one = found((1, 0, 0.9, 0), (5, 1, 0.9, 1))
    other = found((5, 1 - 2 * np.pi, 0.9, 1), (1, 2 * np.pi, 0.9, 0))
    difference = compare(one, other, SETTINGS)
    assert difference.passed
    assert difference.max_yaw_rad < 1e-6


@pytest.mark.parametrize(
    ('other', 'field', 'size'),
    [
        ((1.02, 0, 0.9, 0), 'max_box_m', 0.02),
        ((1, 0.3, 0.9, 0), 'max_yaw_rad', 0.3),
        ((1, np.pi, 0.9, 0), 'max_yaw_rad', np.pi),
        ((1, 0, 0.88, 0), 'max_score', 0.02),
        ((1, 0, 0.9, 1), 'unmatched', 2),
        ((4, 0, 0.9, 0), 'unmatched', 2),
    ],
)
def test_every_difference_counts(other, field, size):
    difference = compare(found((1, 0, 0.9, 0)), found(other), SETTINGS)
    assert getattr(difference, field) == pytest.approx(size, abs=1e-5)
    assert not difference.passed


def test_a_missing_box_counts_unless_rounding_decides():
    one = found((1, 0, 0.9, 0), (5, 0, 0.5, 0))
    assert compare(one, found((1, 0, 0.9, 0)), SETTINGS).unmatched == 1
    at_threshold = compare(found((1, 0, 0.9, 0), (5, 0, 0.100001, 0)), found((1, 0, 0.9, 0)), SETTINGS)
    assert (at_threshold.unmatched, at_threshold.borderline) == (0, 1)
    full = found((1, 0, 0.9, 0), (5, 0, 0.5, 0), (9, 0, 0.3, 0))
    last = found((1, 0, 0.9, 0), (5, 0, 0.5, 0), (12, 0, 0.300001, 0))
    assert compare(full, last, SETTINGS).borderline == 2
    assert compare(full, found((1, 0, 0.9, 0), (5, 0, 0.5, 0), (12, 0, 0.4, 0)), SETTINGS).unmatched == 1


def test_the_first_stage_that_differs_is_named():
    assert Parity(clouds=20).culprit == ''
    assert Parity(clouds=20, voxelize=2, network={'boxes': 9.0}).culprit.startswith('voxelise: the pillars of 2 of 20')
    assert Parity(network={'classes': 0.0, 'boxes': 0.5}).culprit.startswith('network: the boxes map differs by 0.5')
    assert Parity(network={'classes': float('nan')}).culprit.startswith('network')
    decode = Parity(decode=Difference(unmatched=1))
    assert decode.culprit.startswith('decode')
    with pytest.raises(ExportError, match='stage: decode'):
        decode.check()
    with pytest.raises(ExportError, match='no single stage'):
        Parity(result=Difference(max_box_m=0.01)).check()


@pytest.fixture(scope='module')
def pair(small_export):
    config = load_config(small_export.parent / 'small.py')
    return EagerDetector(build_model(config, small_export.parent / 'small.pth'), config), Detector(small_export)


def test_an_export_passes(pair):
    eager, exported = pair
    clouds = [*made_up_clouds(exported.side_car.voxels, 8), np.zeros((0, 4), dtype=np.float32)]
    parity = measure_parity(eager, exported, clouds)
    parity.check()
    assert parity.result.boxes > 5
    assert parity.to_json()['clouds'] == 9


def test_nan_points_are_treated_alike(pair):
    eager, exported = pair
    cloud = made_up_clouds(exported.side_car.voxels, 1)[0]
    cloud[::7, 3] = np.nan
    assert eager.predict(cloud).invalid_points == exported.predict(cloud).invalid_points > 0
    measure_parity(eager, exported, [cloud]).check()


def spoiled(exported, **changes):
    """The exported detector with another side-car."""
    copy = object.__new__(Detector)
    copy.__dict__ |= exported.__dict__ | {
        'side_car': dataclasses.replace(exported.side_car, **changes),
        '_warned': set(),
    }
    from pointkd.runtime.decode import Decoder

    copy._decoder = Decoder(copy.side_car.anchors, 2, copy.side_car.decode)
    return copy


def test_a_wrong_constant_is_found_in_its_stage(pair):
    eager, exported = pair
    side_car = exported.side_car
    clouds = made_up_clouds(side_car.voxels, 6)
    fewer = spoiled(exported, voxels=dataclasses.replace(side_car.voxels, max_pillars=50))
    assert measure_parity(eager, fewer, clouds).culprit.startswith('voxelise')
    turned = spoiled(exported, decode=dataclasses.replace(side_car.decode, direction_offset=1.0))
    assert measure_parity(eager, turned, clouds).culprit.startswith('decode')
    bias = eager.model.bbox_head.conv_reg.bias.data
    bias += 0.01
    try:
        assert measure_parity(eager, exported, clouds).culprit.startswith('network: the boxes map')
    finally:
        bias -= 0.01
