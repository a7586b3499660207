"""One test for each kind of defect: the image is named with its kind, others are not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.visdrone_frames import ROWS, SIZE, write_image, write_root
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pointkd.core.errors import ConfigError, DataError
from pointkd.datasets.visdrone.check import check_root
from pointkd.datasets.visdrone.check_image import KINDS, KNOWN_ZERO_SIZE
from pointkd.datasets.visdrone.check_report import SHOWN_IMAGES, CheckReport, describe
from pointkd.datasets.visdrone.folder import find_parts, read_stems


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_root(tmp_path / 'visdrone')


def train(root: Path) -> Path:
    return root / 'VisDrone2019-DET-train'


def kinds(report: CheckReport) -> dict[str, set[str]]:
    """Kinds of problem by image."""
    found: dict[str, set[str]] = {}
    for kind, entries in report.by_kind().items():
        for image, _ in entries:
            found.setdefault(image, set()).add(kind)
    return found


def test_a_good_root(root: Path) -> None:
    report = check_root(root)
    assert report.ok()
    assert report.by_kind() == {}
    assert report.parts() == {'train': 3, 'val': 2}
    text = describe(report)
    assert 'Nothing is broken.' in text
    assert '5 images (train 3, val 2)' in text
    assert report.as_json()['categories']['car'] == {'boxes': 5, 'small': 5, 'medium': 0, 'large': 0}


def rows(*added: str) -> Callable[[Path], None]:
    return lambda folder: write_image(folder, 'b', (*ROWS, *added))


def cut_image(folder: Path) -> None:
    path = folder / 'images' / 'b.jpg'
    path.write_bytes(path.read_bytes()[:-400])


def turn_image(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((90, 120, 3), np.uint8)).save(folder / 'images' / 'b.jpg', exif=exif)


DEFECTS = [
    (
        'missing image',
        lambda folder: (folder / 'images' / 'b.jpg').unlink(),
        'there is no image of this name',
    ),
    ('bad image', cut_image, r'b\.jpg: does not decode \(.*truncated'),
    ('bad image', lambda folder: (folder / 'images' / 'b.jpg').write_bytes(b'text'), r'b\.jpg: is not an image'),
    ('bad image', lambda folder: (folder / 'images' / 'b.jpg').write_bytes(b''), r'b\.jpg: is not an image'),
    ('turned image', turn_image, r'b\.jpg: EXIF turns it \(orientation 6\)'),
    ('missing label', lambda folder: (folder / 'annotations' / 'b.txt').unlink(), r'b\.txt is missing'),
    ('bad label', rows('1,2,3,4,1'), r'b\.txt:5: expected 8 columns or more, got 5'),
    ('bad label', rows('1,2,3,4,1,4,0'), r'b\.txt:5: expected 8 columns or more, got 7'),
    ('bad label', rows('1,2,3,4,1,4,0,none'), r"b\.txt:5: every column must be a finite number, got 'none'"),
    ('bad label', rows('1,2,3,4,0.7,4,0,0'), r'b\.txt:5: score 0\.7, expected 1, or 0'),
    ('bad label', lambda folder: (folder / 'annotations' / 'b.txt').write_bytes(b'\xff\xfe'), 'is not a text file'),
    ('unknown category', rows('1,2,3,4,1,12,0,0'), r'b\.txt:5: category 12, expected 0 to 11'),
    ('zero-size box', rows('1,2,3,0,1,4,0,0'), r'b\.txt:5: the box is 3 x 0 pixels'),
    ('zero-size box', rows('1,2,-3,9,1,4,0,0'), r'b\.txt:5: the box is -3 x 9 pixels'),
    ('box outside the image', rows('-1,2,3,4,1,4,0,0'), r'the box -1,2,3,4 reaches out of the image \(120 x 90\)'),
    ('box outside the image', rows('110,2,11,4,1,4,0,0'), 'reaches out'),
    ('box outside the image', rows('500,2,11,4,1,4,0,0'), 'reaches out'),
    ('repeated row', rows(ROWS[1]), r'b\.txt:2: the same row comes again'),
    ('no object', lambda folder: write_image(folder, 'b', ROWS[2:]), 'no object of the ten classes'),
    ('no object', lambda folder: write_image(folder, 'b', ()), 'no object of the ten classes'),
]


@pytest.mark.parametrize(('kind', 'break_it', 'message'), DEFECTS, ids=[f'{d[0]}-{n}' for n, d in enumerate(DEFECTS)])
def test_defect(root: Path, kind: str, break_it: Callable[[Path], None], message: str) -> None:
    break_it(train(root))
    report = check_root(root)
    assert kinds(report) == {'train/b': {kind}}
    assert report.broken() == (['train/b'] if KINDS[kind] else [])
    entries = report.as_json()['problems'][kind]['entries']
    assert len(entries) == 1
    assert entries[0]['image'] == 'train/b'
    assert re.search(message, entries[0]['message'])
    assert kind in describe(report)


def test_an_image_of_two_parts(root: Path) -> None:
    write_image(root / 'VisDrone2019-DET-val', 'b')
    assert kinds(check_root(root)) == {'val/b': {'in two parts'}}


def test_the_zero_size_rows_of_the_official_files_are_known(root: Path) -> None:
    write_image(train(root), KNOWN_ZERO_SIZE[0], (*ROWS, '4,5,6,0,0,0,0,0'))
    report = check_root(root)
    assert report.ok()
    assert kinds(report) == {f'train/{KNOWN_ZERO_SIZE[0]}': {'known zero-size box'}}


def test_every_bad_row_is_named(root: Path) -> None:
    write_image(train(root), 'b', ('1', *ROWS, '2', *['3'] * 20))
    report = check_root(root)
    assert len(report.by_kind()['bad label']) == 22
    text = describe(report)
    assert f'... and {22 - SHOWN_IMAGES} more (all with --json)' in text
    assert 'bad label: 1 images (broken)' in text


def test_rows_end_with_a_comma(root: Path) -> None:
    """As one file of the official training set has them."""
    write_image(train(root), 'b', tuple(f'{row},' for row in ROWS))
    assert check_root(root).by_kind() == {}


def test_several_processes_find_the_same(root: Path) -> None:
    rows('1,2,3,4,1,12,0,0')(train(root))
    assert check_root(root, jobs=2).as_json() == check_root(root).as_json()


def test_other_layouts(tmp_path: Path) -> None:
    write_image(tmp_path / 'one', 'a')
    assert [part.name for part in find_parts(tmp_path / 'one')] == ['all']
    write_image(tmp_path / 'two' / 'train', 'a')
    write_image(tmp_path / 'two' / 'test-dev', 'b')
    assert [part.name for part in find_parts(tmp_path / 'two')] == ['test-dev', 'train']
    assert [part.name for part in find_parts(tmp_path / 'two', ['train'])] == ['train']
    with pytest.raises(ConfigError, match=r"no part 'trian' in .*two: did you mean 'train'"):
        find_parts(tmp_path / 'two', ['trian'])


def test_a_part_without_labels(root: Path) -> None:
    write_image(root / 'VisDrone2019-DET-test-challenge', 'z', None)
    (root / 'VisDrone2019-DET-test-challenge' / 'annotations').rmdir()
    report = check_root(root, parts=['test-challenge'])
    assert report.by_kind() == {}
    assert report.images[0].size == SIZE


def test_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='no data in VisDrone layout'):
        check_root(tmp_path)
    with pytest.raises(DataError, match='can not be read'):
        check_root(tmp_path / 'nowhere')
    (tmp_path / 'images').mkdir()
    with pytest.raises(DataError, match=r'images/ and annotations/ are empty'):
        check_root(tmp_path)


def test_lists(tmp_path: Path, root: Path) -> None:
    for stem in 'abc':
        write_image(tmp_path / 'one', stem)
    (tmp_path / 'train.txt').write_text('c.jpg\n\na\n')
    part = find_parts(tmp_path / 'one', lists={'train': tmp_path / 'train.txt'})[0]
    assert (part.name, part.stems) == ('train', ('c', 'a'))
    (tmp_path / 'val.txt').write_text('q\n')
    with pytest.raises(DataError, match=r'val\.txt: 1 of its images are not in .*one, first q'):
        find_parts(tmp_path / 'one', lists={'val': tmp_path / 'val.txt'})
    with pytest.raises(ConfigError, match=r'has parts of its own \(train, val\)'):
        find_parts(root, lists={'train': tmp_path / 'train.txt'})


@pytest.mark.parametrize(
    ('content', 'message'), [(b'', 'names no image'), (b'a\na.jpg\n', 'names a twice'), (b'\xff', 'is not a text file')]
)
def test_bad_lists(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / 'list.txt').write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_stems(tmp_path / 'list.txt')
    with pytest.raises(DataError, match='can not be read'):
        read_stems(tmp_path / 'nowhere.txt')


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.binary(max_size=120), st.binary(max_size=120))
def test_nothing_that_a_file_holds_stops_the_check(tmp_path: Path, label: bytes, image: bytes) -> None:
    write_image(tmp_path / 'one', 'a')
    head = cv2.imencode('.png', np.zeros((3, 3, 3), np.uint8))[1].tobytes()
    (tmp_path / 'one' / 'annotations' / 'a.txt').write_bytes(label)
    (tmp_path / 'one' / 'images' / 'a.jpg').write_bytes(head[:40] + image)
    report = check_root(tmp_path / 'one')
    assert report.broken() == ['all/a']
    assert describe(report)


@pytest.mark.data
def test_real_labels(shared: Path) -> None:
    report = check_root(shared / 'data' / 'aerial' / 'visdrone')
    assert report.ok()
    assert len(report.images) == 89
    counts = report.as_json()['categories']
    assert (counts['car']['boxes'], counts['ignored regions']['boxes'], counts['others']['boxes']) == (2385, 176, 23)
