"""Slices: every box shows where it should, pixels are the image's own."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.visdrone_frames import ROWS, SIZE, write_image
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.errors import ConfigError, DataError
from pointkd.core.tiles import tile_image
from pointkd.core.visdrone import read_rows
from pointkd.datasets.visdrone.coco import ignored
from pointkd.datasets.visdrone.prepare import prepare
from pointkd.datasets.visdrone.slices import Slicing, slice_image, slice_labels

CAR = [10.0, 20, 20, 10, 1, 4, 0, 0]
REGION = [0.0, 0, 50, 50, 0, 0, 0, 0]


def cut(*rows: list[float], tile: tuple[int, int, int, int], visible: float = 0.5) -> np.ndarray:
    return slice_labels(np.array(rows), np.array(tile), visible)


def test_a_box_inside_moves_with_the_slice() -> None:
    assert cut(CAR, tile=(5, 15, 65, 75)).tolist() == [[5, 5, 20, 10, 1, 4, 0, 0]]


@pytest.mark.parametrize(('left', 'score'), [(19, 1), (20, 1), (21, 0), (29, 0)])
def test_half_a_box_is_an_object_less_is_ignored(left: int, score: int) -> None:
    assert cut(CAR, tile=(left, 0, 90, 90)).tolist() == [[0, 20, 30 - left, 10, score, 4, 0, 0]]


def test_what_only_touches_does_not_show() -> None:
    assert cut(CAR, tile=(30, 0, 90, 90)).shape == (0, 8)
    assert cut(CAR, tile=(0, 30, 90, 90)).shape == (0, 8)


def test_ignored_rows_stay_ignored_however_little_shows() -> None:
    rows = cut(REGION, [45.0, 45, 20, 20, 0, 11, 0, 0], tile=(49, 49, 80, 80))
    assert rows.tolist() == [[0, 0, 1, 1, 0, 0, 0, 0], [0, 0, 16, 16, 0, 11, 0, 0]]
    assert ignored(rows).all()


def test_no_labels() -> None:
    assert slice_labels(np.zeros((0, 8)), np.array([0, 0, 5, 5]), 0.5).shape == (0, 8)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(8, 60), st.floats(0, 0.7))
def test_every_object_shows_whole_where_the_overlap_is_as_large(seed: int, size: int, overlap: float) -> None:
    """And its parts in all slices are its box, cut; together they cover it."""
    rng = np.random.default_rng(seed)
    least = int(size * overlap)
    width, height = (int(side) for side in rng.integers(20, 100, 2))
    x, y = rng.integers(0, width - 1), rng.integers(0, height - 1)
    w, h = rng.integers(1, width - x + 1), rng.integers(1, height - y + 1)
    row = np.array([[x, y, w, h, 1, 4, 0, 0]], dtype=float)
    seen, whole = np.zeros((height, width), dtype=bool), False
    for tile in tile_image(width, height, size, overlap):
        for part in slice_labels(row, tile, 0.5):
            left, top = (part[:2] + tile[:2]).astype(int)
            seen[top : top + int(part[3]), left : left + int(part[2])] = True
            assert part[4] == (part[2] * part[3] >= 0.5 * w * h)
            whole = whole or part[2:4].tolist() == [w, h]
    assert seen.sum() == w * h
    assert seen[y : y + h, x : x + w].all()
    assert whole or max(w, h) > least


def test_pixels_are_the_images_own(tmp_path: Path) -> None:
    write_image(tmp_path, 'a')
    image = tmp_path / 'images' / 'a.jpg'
    pixels = cv2.GaussianBlur(cv2.imread(str(image)), (0, 0), 4)
    cv2.imwrite(str(image), pixels, [cv2.IMWRITE_JPEG_QUALITY, 100])
    rows = read_rows(tmp_path / 'annotations' / 'a.txt')
    slices = slice_image(image, rows, SIZE, Slicing(50), tmp_path, 'slices/train')
    assert len(slices) == len(tile_image(*SIZE, 50, 0.2)) == 6
    for entry in slices:
        left, top = entry.origin
        found = cv2.imread(str(tmp_path / entry.file_name)).astype(float)
        assert found.shape == (entry.size[1], entry.size[0], 3) == (50, 50, 3)
        assert Path(entry.file_name) == Path(f'slices/train/a_{left}_{top}.jpg')
        assert np.abs(found - pixels[top : top + 50, left : left + 50]).mean() < 2


def test_an_image_of_another_size(tmp_path: Path) -> None:
    write_image(tmp_path, 'a')
    with pytest.raises(DataError, match=r'a\.jpg: does not decode to the 9 x 9 pixels'):
        slice_image(tmp_path / 'images' / 'a.jpg', np.zeros((0, 8)), (9, 9), Slicing(50), tmp_path, 'slices')


def test_a_whole_data_set(tmp_path: Path) -> None:
    for number, stem in enumerate('ab'):
        write_image(tmp_path / 'one', stem, seed=number)
    summary = prepare(tmp_path / 'one', tmp_path / 'out', slicing=Slicing(64, 0.25))
    assert summary.slices == {'all': 12}
    assert [path.name for path in summary.files] == ['visdrone_all_slices.json', 'visdrone_all.json']
    content = json.loads(summary.files[0].read_text())
    images = {image['id']: image for image in content['images']}
    assert all((tmp_path / 'out' / image['file_name']).is_file() for image in images.values())
    assert content['images'][0]['file_name'] == 'slices/all-64-0.25/a_0_0.jpg'
    shown = np.zeros(len(ROWS))
    for annotation in content['annotations']:
        image = images[annotation['image_id']]
        x, y, w, h = annotation['bbox']
        assert 0 <= x < x + w <= image['width']
        assert 0 <= y < y + h <= image['height']
        assert annotation['ignore'] or annotation['category_id'] in (1, 4)
        whole = [
            f'{x + image["origin"][0]},{y + image["origin"][1]},{w},{h}' == ','.join(row.split(',')[:4]) for row in ROWS
        ]
        shown += whole
    assert (shown >= 2).all()  # every box is whole in a slice of both images


@pytest.mark.parametrize('settings', [{'size': 0}, {'overlap': 1.0}, {'visible': 0.0}, {'visible': 1.5}])
def test_wrong_settings(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r'tile|visible'):
        Slicing(**settings)
