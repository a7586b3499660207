"""Which files belong together, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.cityscapes_sets import write_pair
from PIL import Image

from pointkd.core.errors import DataError, ShapeError
from pointkd.core.label_images import write_label_image
from pointkd.evaluation.cityscapes import CityscapesCounter, evaluate_folders

ROAD = np.full((6, 8), 7, np.uint8)
NO_INSTANCES = ROAD.astype(np.uint16)
STEM = 'ulm_000000_000019'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two labelled images with their predictions and instances."""
    write_pair(tmp_path, STEM, ROAD, ROAD, NO_INSTANCES)
    write_pair(tmp_path, 'bonn_000001_000020', ROAD, ROAD, NO_INSTANCES)
    return tmp_path


def evaluate(folder: Path) -> dict:
    return evaluate_folders(folder / 'labels', folder / 'results')


def prediction_of(folder: Path) -> Path:
    return folder / 'results' / 'ulm' / f'{STEM}_leftImg8bit.png'


def test_predictions_at_any_depth_and_of_other_names(folder: Path) -> None:
    deeper = folder / 'results' / 'a' / 'b' / f'{STEM}mine.png'
    deeper.parent.mkdir(parents=True)
    prediction_of(folder).rename(deeper)
    write_label_image(folder / 'results' / 'rome_000000_000001.png', ROAD)
    (folder / 'results' / f'{STEM}.txt').write_text('no image')
    (folder / 'results' / f'._{STEM}.png').write_bytes(b'left behind by an archive')
    found = evaluate(folder)
    assert (found['images'], found['extra_files'], found['mIoU']) == (2, 1, 100.0)


def test_one_below_the_other(tmp_path: Path) -> None:
    """Labels in the folder itself, results in one below: the labels' own folder is no place for results."""
    write_label_image(tmp_path / f'{STEM}_gtFine_labelIds.png', ROAD)
    write_label_image(tmp_path / 'results' / f'{STEM}.png', ROAD)
    assert evaluate_folders(tmp_path, tmp_path / 'results')['images'] == 1
    with pytest.raises(DataError, match='more than one prediction'):
        evaluate_folders(tmp_path, tmp_path)


def test_missing_prediction(folder: Path) -> None:
    prediction_of(folder).unlink()
    with pytest.raises(DataError, match=rf'{STEM}_gtFine_labelIds\.png: no prediction .* one file {STEM}\*\.png'):
        evaluate(folder)


def test_two_predictions(folder: Path) -> None:
    write_label_image(folder / 'results' / f'{STEM}_color.png', ROAD)
    with pytest.raises(DataError, match=rf'{STEM}_gtFine_labelIds\.png: more than one .*{STEM}_color\.png'):
        evaluate(folder)


def test_a_label_twice(folder: Path) -> None:
    write_label_image(folder / 'labels' / 'again' / f'{STEM}_gtFine_labelIds.png', ROAD)
    with pytest.raises(DataError, match='another label file of this name'):
        evaluate(folder)


def test_some_instances_missing(folder: Path) -> None:
    (folder / 'labels' / 'ulm' / f'{STEM}_gtFine_instanceIds.png').unlink()
    with pytest.raises(DataError, match=rf'{STEM}_gtFine_instanceIds\.png is missing .1 of 2 labels have none'):
        evaluate(folder)


@pytest.mark.parametrize('side', ['labels', 'results'])
def test_missing_folder(folder: Path, side: str) -> None:
    (folder / side).rename(folder / 'elsewhere')
    with pytest.raises(DataError, match=rf'{side}: the folder .*{side} can not be read \(No such file or directory\)'):
        evaluate(folder)


def test_no_labels(folder: Path) -> None:
    with pytest.raises(DataError, match=r'no label files \(CITY_SEQ_FRAME_gtFine_labelIds\.png\)'):
        evaluate_folders(folder / 'results', folder / 'results')


def rgb(path: Path) -> None:
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(path)


def grey_alpha(path: Path) -> None:
    Image.fromarray(np.zeros((6, 8, 2), np.uint8), 'LA').save(path)


def one_bit(path: Path) -> None:
    Image.fromarray(np.zeros((6, 8), bool)).save(path)


def jpeg(path: Path) -> None:
    Image.fromarray(ROAD).save(path, format='JPEG')


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def empty(path: Path) -> None:
    path.write_bytes(b'')


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / 'x').write_text('')


def too_large(path: Path) -> None:
    write_label_image(path, np.full((6, 8), 34, np.uint8))


def train_ids(path: Path) -> None:
    write_label_image(path, np.full((6, 8), 255, np.uint8))


def sixteen_bits(path: Path) -> None:
    write_label_image(path, np.full((6, 8), 263, np.uint16))  # 7 in its lower byte


def turned(path: Path) -> None:
    write_label_image(path, np.ascontiguousarray(ROAD.T))


BROKEN = [
    (rgb, r'three channels \(RGB\); a label image has one'),
    (grey_alpha, 'two channels'),
    (one_bit, 'has 1 bits a pixel'),
    (jpeg, 'is not a PNG image'),
    (truncated, 'the PNG image is damaged'),
    (empty, 'is not a PNG image'),
    (too_large, r'expected ids 0\.\.33, got 34'),
    (train_ids, r'expected ids 0\.\.33, got 255; 255 is a train id'),
    (sixteen_bits, r'expected ids 0\.\.33, got 263'),
]


@pytest.mark.parametrize(('spoil', 'message'), [*BROKEN, (turned, r'the size of the label 8 x 6, got 6 x 8')])
def test_broken_prediction(folder: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(prediction_of(folder))
    with pytest.raises(DataError, match=rf'{STEM}.*{message}'):
        evaluate(folder)


@pytest.mark.parametrize(('spoil', 'message'), BROKEN)
def test_broken_label(folder: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(folder / 'labels' / 'ulm' / f'{STEM}_gtFine_labelIds.png')
    with pytest.raises(DataError, match=rf'{STEM}_gtFine_labelIds\.png.*{message}'):
        evaluate(folder)


def test_a_folder_named_like_a_prediction_is_none(folder: Path) -> None:
    a_folder(prediction_of(folder))
    with pytest.raises(DataError, match='no prediction for it'):
        evaluate(folder)


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        (np.full((6, 8), 7001, np.uint16), 'instance image: 7001 is no instance, as class 7 has none'),
        (np.full((6, 8), 34001, np.uint16), '34001 is no instance'),
        (np.full((6, 8), 65535, np.uint16), '65535 is no instance'),
        (np.full((8, 6), 7, np.uint16), 'instance image: expected the size of the label 8 x 6, got 6 x 8'),
    ],
)
def test_broken_instances(folder: Path, values: np.ndarray, message: str) -> None:
    write_label_image(folder / 'labels' / 'ulm' / f'{STEM}_gtFine_instanceIds.png', values)
    with pytest.raises(DataError, match=message):
        evaluate(folder)


def test_palette_images_are_read_by_index(folder: Path) -> None:
    image = Image.fromarray(ROAD)
    image.putpalette([value for index in range(256) for value in (255 - index, 0, 0)])
    image.save(prediction_of(folder))
    assert evaluate(folder)['mIoU'] == 100.0


def test_wrong_arrays() -> None:
    counter = CityscapesCounter()
    with pytest.raises(ShapeError, match='label: expected one channel'):
        counter.count(ROAD[None], ROAD)
    with pytest.raises(DataError, match='prediction: expected whole numbers, got float64'):
        counter.count(ROAD, ROAD.astype(float))
    with pytest.raises(DataError, match=r'expected ids 0\.\.33, got -1'):
        counter.count(ROAD, ROAD.astype(int) - 8)
    empty_image = np.zeros((0, 5), np.uint8)
    assert counter.count(empty_image, empty_image).confusion.sum() == 0
