"""Every kind of broken file is named, in Cityscapes and in CamVid layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.small_segmentation import SHAPE, write_camvid, write_cityscapes, write_photograph
from PIL import Image

from pointkd.core.errors import DataError
from pointkd.core.label_images import read_label_image, write_label_image
from pointkd.datasets.segmentation_prepare import prepare_cityscapes
from pointkd.datasets.segmentation_report import SegmentationReport, describe
from pointkd.datasets.segmentation_roots import check_camvid, check_cityscapes

STEM = 'train/ulm/ulm_000000_000000'


@pytest.fixture
def streets(tmp_path: Path) -> Path:
    root = write_cityscapes(tmp_path / 'cityscapes')
    prepare_cityscapes(root)
    return root


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    return write_camvid(tmp_path / 'camvid')


def kinds(report: SegmentationReport) -> dict[str, list[str]]:
    return {kind: [message for _, message in entries] for kind, entries in report.by_kind().items()}


def label(root: Path) -> Path:
    return root / 'gtFine' / f'{STEM}_gtFine_labelIds.png'


def image(root: Path) -> Path:
    return root / 'leftImg8bit' / f'{STEM}_leftImg8bit.png'


def test_good_data(streets: Path, camvid: Path) -> None:
    for report, splits in (
        (check_cityscapes(streets), {'train': 2, 'val': 1}),
        (check_camvid(camvid), {'train': 2, 'val': 1, 'test': 1}),
    ):
        assert report.ok()
        assert kinds(report) == {}
        assert report.splits() == splits
        shares = [numbers['percent'] for numbers in report.class_numbers('train').values()]
        assert sum(shares) == pytest.approx(100)
        assert 'Nothing is broken.' in describe(report)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def value_34(path: Path) -> None:
    labels = read_label_image(path).copy()
    labels[3, 4:7] = [34, 40, 34]
    write_label_image(path, labels)


def of_other_size(path: Path) -> None:
    write_label_image(path, np.full((SHAPE[0], SHAPE[1] + 1), 7, np.uint8))


def coloured(path: Path) -> None:
    Image.fromarray(np.zeros((*SHAPE, 3), np.uint8)).save(path)


def wrong_instance(path: Path) -> None:
    write_label_image(path.with_name(path.name.replace('labelIds', 'instanceIds')), np.full(SHAPE, 7001, np.uint16))


def damaged_instances(path: Path) -> None:
    cut(path.with_name(path.name.replace('labelIds', 'instanceIds')))


def no_instances(path: Path) -> None:
    path.with_name(path.name.replace('labelIds', 'instanceIds')).unlink()


def old_train_ids(path: Path) -> None:
    write_label_image(path.with_name(path.name.replace('labelIds', 'labelTrainIds')), np.zeros(SHAPE, np.uint8))


def damaged_train_ids(path: Path) -> None:
    cut(path.with_name(path.name.replace('labelIds', 'labelTrainIds')))


def small_train_ids(path: Path) -> None:
    write_label_image(path.with_name(path.name.replace('labelIds', 'labelTrainIds')), np.zeros((2, 2), np.uint8))


def no_train_ids(path: Path) -> None:
    path.with_name(path.name.replace('labelIds', 'labelTrainIds')).unlink()


@pytest.mark.parametrize(
    ('spoil', 'kind', 'message', 'broken'),
    [
        (Path.unlink, 'missing label', 'is missing', True),
        (cut, 'bad label', 'damaged', True),
        (coloured, 'bad label', 'three channels', True),
        (value_34, 'label value', 'expected values 0..33, got 34, 40 (3 pixels)', True),
        (of_other_size, 'size mismatch', '33 x 24, but the image ulm_000000_000000_leftImg8bit.png is 32 x 24', True),
        (wrong_instance, 'bad instances', '7001 is no instance', True),
        (damaged_instances, 'bad instances', 'instanceIds.png: the PNG image is damaged', True),
        (no_instances, 'missing instances', 'no iIoU', False),
        (damaged_train_ids, 'bad train ids', 'damaged', True),
        (small_train_ids, 'bad train ids', '2 x 2', True),
        (old_train_ids, 'other train ids', 'pixels are not what', False),
        (no_train_ids, 'missing train ids', 'create-data cityscapes makes it', False),
    ],
)
def test_broken_label_of_cityscapes(
    streets: Path, spoil: Callable[[Path], None], kind: str, message: str, broken: bool
) -> None:
    spoil(label(streets))
    report = check_cityscapes(streets)
    assert message in kinds(report)[kind][0]
    assert str(streets) in kinds(report)[kind][0]
    assert report.broken() == ([STEM] if broken else [])
    assert report.ok() is not broken


@pytest.mark.parametrize(
    ('spoil', 'kind', 'message'),
    [
        (Path.unlink, 'missing image', 'is missing'),
        (cut, 'bad image', 'can not be decoded'),
        (lambda path: path.write_bytes(b'text'), 'bad image', 'can not be decoded'),
        (lambda path: write_photograph(path, (5, 6)), 'size mismatch', 'is 6 x 5'),
    ],
)
def test_broken_image(streets: Path, spoil: Callable[[Path], None], kind: str, message: str) -> None:
    spoil(image(streets))
    report = check_cityscapes(streets)
    assert message in kinds(report)[kind][0]
    assert report.broken() == [STEM]


def test_images_without_a_class_are_worth_a_look(streets: Path) -> None:
    write_label_image(label(streets), np.zeros(SHAPE, np.uint8))
    report = check_cityscapes(streets)
    assert 'no pixel has a class' in kinds(report)['all void'][0]
    assert report.ok()
    assert 'worth a look' in describe(report)


def test_the_secret_labels_of_the_test_split(streets: Path) -> None:
    write_cityscapes(streets, ('test/linz',))
    stem = streets / 'gtFine' / 'test' / 'linz' / 'linz_000000_000000'
    write_label_image(Path(f'{stem}_gtFine_labelIds.png'), np.zeros(SHAPE, np.uint8))
    assert check_cityscapes(streets, ('test',)).ok()
    Path(f'{stem}_gtFine_labelIds.png').unlink()
    assert check_cityscapes(streets, ('test',)).ok()


def test_wrong_roots(tmp_path: Path, streets: Path) -> None:
    with pytest.raises(DataError, match='no data in Cityscapes layout'):
        check_cityscapes(tmp_path / 'nowhere')
    with pytest.raises(DataError, match="no split 'vall': did you mean 'val'"):
        check_cityscapes(streets, ('vall',))
    with pytest.raises(DataError, match='no data in CamVid layout'):
        check_camvid(tmp_path)
    (tmp_path / 'empty' / 'gtFine' / 'val').mkdir(parents=True)
    assert 'neither image nor label' in kinds(check_cityscapes(tmp_path / 'empty'))['bad list'][0]


def test_broken_camvid(camvid: Path) -> None:
    value = camvid / 'trainannot' / 'train_0000.png'
    labels = read_label_image(value).copy()
    labels[0, 0] = 12
    write_label_image(value, labels)
    (camvid / 'val' / 'val_0000.jpg').write_bytes(b'')
    (camvid / 'testannot' / 'test_0000.png').unlink()
    report = check_camvid(camvid)
    found = kinds(report)
    assert 'train_0000.png: expected values 0..11, got 12 (1 pixels)' in found['label value'][0]
    assert 'val_0000.jpg' in found['bad image'][0]
    assert report.broken() == ['train/train_0000', 'val/val_0000']


def test_bad_lists_of_camvid(camvid: Path) -> None:
    lines = (camvid / 'train.txt').read_text().splitlines()
    (camvid / 'val.txt').write_text('\n'.join([lines[0], lines[0], 'alone.jpg', '', 'gone.jpg gone.png']))
    (camvid / 'test.txt').write_text('')
    report = check_camvid(camvid)
    found = '\n'.join(kinds(report)['bad list'])
    assert "val.txt:3: expected IMAGE LABEL, got 'alone.jpg'" in found
    assert '1 images come twice, first val/train_0000' in found
    assert 'both train and val, first train_0000' in found
    assert 'test.txt: names no pair' in found
    assert 'gone.jpg is missing' in kinds(report)['missing image'][0]
    assert not report.ok()
    (camvid / 'test.txt').write_bytes(b'\xff\xfe')
    assert 'can not be read' in '\n'.join(kinds(check_camvid(camvid))['bad list'])


def test_paths_as_in_the_origin(camvid: Path) -> None:
    lines = (camvid / 'train.txt').read_text().splitlines()
    (camvid / 'train.txt').write_text(
        '\n'.join(' '.join(f'/SegNet/CamVid/{word}' for word in line.split()) for line in lines)
    )
    assert check_camvid(camvid).ok()


@pytest.mark.data
def test_the_real_pair(shared: Path) -> None:
    report = check_cityscapes(shared / 'data' / 'cityscapes_sample')
    assert report.ok()
    assert list(kinds(report)) == ['other train ids']  # reduced apart from the label


@pytest.mark.data
@pytest.mark.long
def test_real_camvid(shared: Path) -> None:
    report = check_camvid(shared / 'data' / 'camvid', jobs=2)
    assert report.ok()
    assert report.splits() == {'train': 367, 'val': 101, 'test': 233}
    assert report.class_numbers('train')['Bicyclist'] == {'percent': pytest.approx(0.292, abs=5e-4), 'images': 201}
