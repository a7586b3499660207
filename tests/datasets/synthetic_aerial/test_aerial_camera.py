import math

import numpy as np
import pytest

from pointkd.datasets.synthetic_aerial.camera import (
    CUT_LOSS,
    HORIZON,
    MAX_PITCH,
    MIN_PITCH,
    Camera,
    aim,
    car_size_m,
    pitch_of,
)

CAMERA = Camera(side=320, pitch=0.8, distance_m=60.0, focal=700.0)


def test_the_origin_is_in_the_middle():
    assert CAMERA.project(np.zeros(3)) == pytest.approx([160.0, 160.0, 60.0])


def test_away_is_up_and_right_is_right_and_high_is_up():
    right, away, high = CAMERA.project(np.eye(3))
    assert right[0] > 160
    assert right[1] == pytest.approx(160)
    assert away[1] < 160
    assert high[1] < 160


def test_ground_undoes_projection():
    pixels = np.random.default_rng(0).uniform(0, 320, (50, 2))
    ground = CAMERA.ground(pixels)
    seen = CAMERA.project(np.column_stack([ground, np.zeros(50)]))
    assert seen[:, :2] == pytest.approx(pixels)


def test_the_homography_is_the_projection_of_the_ground():
    ground = np.random.default_rng(1).uniform(-20, 20, (20, 2))
    mapped = np.column_stack([ground, np.ones(20)]) @ CAMERA.ground_matrix().T
    seen = CAMERA.project(np.column_stack([ground, np.zeros(20)]))
    assert mapped[:, :2] / mapped[:, 2:] == pytest.approx(seen[:, :2])


def test_flatter_persons_are_seen_more_steeply():
    pitches = [pitch_of(upright) for upright in (0.5, 1.0, 1.5, 2.0, 2.5, 9.0)]
    assert pitches == sorted(pitches, reverse=True)
    assert pitches[0] == pytest.approx(MAX_PITCH)
    assert pitches[-1] == pytest.approx(MIN_PITCH)


@pytest.mark.parametrize('upright', [0.7, 1.5, 2.4, 3.5])
def test_no_sky_and_the_scale_asked_for(upright):
    for seed in range(10):
        camera = aim(320, 0.1, upright, np.random.default_rng(seed))
        assert camera.pitch - math.atan(160 / camera.focal) >= HORIZON - 1e-9
        metre = camera.focal / camera.distance_m
        assert metre * car_size_m(camera.pitch) == pytest.approx(CUT_LOSS * 0.1 * 320)
        assert np.isfinite(camera.corners()).all()
