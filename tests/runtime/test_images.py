"""Reading and resizing images, against OpenCV and torch."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pointkd.core.errors import DataError, ShapeError
from pointkd.runtime.images import read_image, resize_bilinear, resize_scores

SIDES = st.integers(1, 60)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_images_are_resized_as_opencv_does(height: int, width: int, new_height: int, new_width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    theirs = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    ours = resize_bilinear(image, (new_height, new_width))
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert (ours != theirs).mean() < 0.02


@pytest.mark.parametrize('align', [False, True])
@pytest.mark.parametrize('size', [(4, 7), (9, 14), (3, 20), (1, 1)])
def test_scores_are_resized_as_torch_does(align: bool, size: tuple[int, int]) -> None:
    scores = np.random.default_rng(0).normal(size=(5, 4, 7)).astype(np.float32)
    theirs = torch.nn.functional.interpolate(torch.from_numpy(scores)[None], size, mode='bilinear', align_corners=align)
    np.testing.assert_allclose(resize_scores(scores, size, align), theirs[0].numpy(), atol=1e-5)


def test_files_of_any_kind_become_rgb(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'rgb.png')
    np.testing.assert_array_equal(read_image(tmp_path / 'rgb.png'), pixels)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'rgb.png'))[..., ::-1], pixels)
    Image.fromarray(pixels[..., 0]).save(tmp_path / 'grey.png')
    np.testing.assert_array_equal(read_image(tmp_path / 'grey.png'), np.repeat(pixels[..., :1], 3, axis=2))


def test_broken_files_are_named(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / 'cut.png')
    (tmp_path / 'cut.png').write_bytes((tmp_path / 'cut.png').read_bytes()[:60])
    (tmp_path / 'text.png').write_text('no image')
    for name in ('cut.png', 'text.png', 'none.png'):
        with pytest.raises(DataError, match=f'{name}: can not be read as an image'):
            read_image(tmp_path / name)
    with pytest.raises(ShapeError, match='image'):
        resize_bilinear(np.zeros((4, 4), np.uint8), (2, 2))
