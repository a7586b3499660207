import colorsys

import numpy as np

from pointkd.datasets.yolov8 import HsvGain


def test_without_gains_colours_stay_up_to_rounding():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    found = HsvGain(0, 0, 0)({'img': image})['img']
    assert np.abs(found.astype(int) - image).max() <= 6  # the hue has 180 steps
    grey = np.full((4, 4, 3), 90, dtype=np.uint8)
    assert (HsvGain(0, 0, 0)({'img': grey})['img'] == 90).all()


def test_each_channel_is_multiplied():
    colour = np.array([[[60, 120, 180]]], dtype=np.uint8)  # BGR
    before = colorsys.rgb_to_hsv(*(colour[0, 0, ::-1] / 255))
    np.random.seed(3)
    factors = 1 + np.random.uniform(-1, 1, 3) * [0.015, 0.7, 0.4]
    np.random.seed(3)
    found = HsvGain()({'img': colour})['img']
    after = colorsys.rgb_to_hsv(*(found[0, 0, ::-1] / 255))
    assert np.allclose(after, [before[0] * factors[0], before[1] * factors[1], before[2] * factors[2]], atol=0.02)


def test_values_saturate_and_hues_wrap_around():
    np.random.seed(0)
    image = np.zeros((1, 256, 3), dtype=np.uint8)
    image[0, :, 2], image[0, :, 0] = 255, np.arange(256)  # reds, from hue 0 down
    for _ in range(20):
        found = HsvGain(0.5, 0, 1.0)({'img': image})['img']
        assert found.dtype == np.uint8
        assert found.shape == image.shape
