"""Which images are evaluated, and what is wrong with folders and files."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.visdrone_sets import row, write, write_sizes

from pointkd.core.errors import DataError
from pointkd.evaluation.visdrone import METRICS, evaluate_folders, evaluate_images
from pointkd.evaluation.visdrone.folders import find_files

REGION = row(x=60, y=40, w=20, h=20, score=0, category=0)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write(tmp_path / 'labels', a=row(), b=row() + REGION, c=row(category=1))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write(tmp_path / 'results', a=row(score=0.9, result=True), b=row(score=0.8, result=True))


@pytest.fixture
def sizes(tmp_path: Path) -> Path:
    return write_sizes(tmp_path / 'sizes.json', 'a', 'b', 'c')


def test_every_label_file_is_an_image(labels: Path, results: Path, sizes: Path) -> None:
    report = evaluate_folders(labels, results, sizes)
    assert (report['evaluated_images'], report['missing_files'], report['extra_files']) == (3, 1, 0)
    assert report['classes']['car']['AP'] == 100.0
    assert report['classes']['pedestrian']['AP'] == 0.0
    assert report['AP'] == pytest.approx(200 / 3)


def test_folders_and_memory_give_the_same(labels: Path, results: Path, sizes: Path) -> None:
    report = evaluate_folders(labels, results, sizes)
    assert report.pop('extra_files') == 0
    label_rows = [np.loadtxt(labels / f'{stem}.txt', delimiter=',', ndmin=2) for stem in 'abc']
    result_rows = [np.loadtxt(results / f'{stem}.txt', delimiter=',', ndmin=2) for stem in 'ab']
    assert evaluate_images(label_rows, [*result_rows, None], [(100, 80)] * 3) == report


def test_results_of_unlabelled_images_are_counted_not_read(labels: Path, results: Path, sizes: Path) -> None:
    write(results, zz='no row of numbers')
    assert evaluate_folders(labels, results, sizes)['extra_files'] == 1


def test_other_files_are_left_alone(labels: Path, results: Path, sizes: Path) -> None:
    (labels / 'readme.md').write_text('text')
    (labels / '._a.txt').write_bytes(b'\x00\x05')  # what macOS archives leave behind
    assert evaluate_folders(labels, results, sizes)['evaluated_images'] == 3


def test_images_come_in_the_order_of_their_file_names(tmp_path: Path) -> None:
    """`a-b.txt` stands before `a.txt`, though `a` stands before `a-b`."""
    labels = write(tmp_path / 'labels', **{'a': '', 'a-b': row(), 'B': ''})
    assert find_files(labels, write(tmp_path / 'results')).stems == ['B', 'a-b', 'a']


@pytest.mark.parametrize('text', ['', '\n', ' \n\n', '\ufeff'])
def test_empty_files(text: str, labels: Path, tmp_path: Path, sizes: Path) -> None:
    results = write(tmp_path / 'empty', a=text, b=text, c=text)
    report = evaluate_folders(labels, results, sizes)
    assert report['missing_files'] == 0
    assert [report[name] for name in METRICS] == [0.0] * 7
    nothing = write(tmp_path / 'nothing', a=text)
    assert evaluate_folders(nothing, write(tmp_path / 'none'))['AP'] is None


def test_rows_as_they_come(labels: Path, results: Path, sizes: Path, tmp_path: Path) -> None:
    """A comma at the end, blank lines, blanks, Windows ends, a byte order mark, six columns only."""
    expected = evaluate_folders(labels, results, sizes)
    text = '\ufeff\r\n 0, 0 ,10,10,0.9,4,-1,-1,\r\n\r\n'
    found = evaluate_folders(labels, write(tmp_path / 'other', a=text, b='0,0,1e1,10,.8,4\n'), sizes)
    assert found == expected


def test_rows_of_unequal_length(labels: Path, results: Path, sizes: Path) -> None:
    write(results, a=row(score=0.9) + '0,0,10,10,.8,4\n')
    assert evaluate_folders(labels, results, sizes)['classes']['car']['detections'] == 3


@pytest.mark.parametrize('side', ['labels', 'results'])
def test_missing_folder(side: str, labels: Path, results: Path) -> None:
    folders = {'labels': labels, 'results': results} | {side: labels / 'nowhere'}
    with pytest.raises(DataError, match=rf'{side}: the folder .*nowhere can not be read \(No such file or directory\)'):
        evaluate_folders(**folders)


def test_label_folder_without_labels(tmp_path: Path, results: Path) -> None:
    with pytest.raises(DataError, match=r'no label files \(STEM\.txt\) in this folder'):
        evaluate_folders(write(tmp_path / 'empty'), results)


def test_results_of_other_images_only(labels: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of the 1 result files .* like 'a\.txt', results like 'q\.txt'"):
        evaluate_folders(labels, write(tmp_path / 'other', q=row()))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('1,2,3,4,1\n', r':2: expected 6 columns or more, got 5'),
        ('1 2 3 4 1 4 0 0\n', r':2: expected 6 columns or more, got 1 \(columns are separated by commas\)'),
        ('1,2,3,4,1,,0,0\n', r":2: every column must be a finite number, got ''"),
        ('1,2,3,4,1,,,,\n', r':2: expected 6 columns or more, got 5'),
        ('1,2,wide,4,1,4,0,0\n', r":2: every column must be a finite number, got 'wide'"),
        ('1,2,nan,4,1,4,0,0\n', r":2: every column must be a finite number, got 'nan'"),
        ('1,2,3,4,-inf,4,0,0\n', r":2: every column must be a finite number, got '-inf'"),
        ('1,2,3,4,1e999,4,0,0\n', r":2: every column must be a finite number, got '1e999'"),
        ('1,2,3,4,1_0,4,0,0\n', r":2: every column must be a finite number, got '1_0'"),
        ('1,2 3,4,5,1,4,0,0\n', r":2: every column must be a finite number, got '2 3'"),
        ('1,2,3,4,1,#4,0,0\n', r":2: every column must be a finite number, got '#4'"),
    ],
)
@pytest.mark.parametrize('side', ['labels', 'results'])
def test_bad_rows_name_file_and_line(side: str, text: str, message: str, labels: Path, results: Path) -> None:
    write(labels.parent / side, a=row(score=1) + text)
    with pytest.raises(DataError, match=rf'{side}/a\.txt{message}'):
        evaluate_folders(labels, results)


@pytest.mark.parametrize('content', [bytes(range(256)), b'\xff\xfe1\0,\0', b'1,2,3,4,5,6\0'])
def test_binary_files_are_refused(content: bytes, labels: Path, results: Path) -> None:
    (results / 'a.txt').write_bytes(content)
    with pytest.raises(DataError, match=r'a\.txt: is not a text file'):
        evaluate_folders(labels, results)


def test_a_folder_in_place_of_a_file(labels: Path, results: Path) -> None:
    (labels / 'd.txt').mkdir()
    with pytest.raises(DataError, match=r'd\.txt: can not be read \(Is a directory\)'):
        evaluate_folders(labels, results)


def test_sizes_are_needed_for_ignored_regions_only(labels: Path, results: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'labels/b\.txt: has ignored regions, .* give --sizes'):
        evaluate_folders(labels, results)
    with pytest.raises(DataError, match=r'labels/b\.txt: has ignored regions'):
        evaluate_folders(labels, results, write_sizes(tmp_path / 'sizes.json', 'a', 'c'))
    assert evaluate_folders(labels, results, write_sizes(tmp_path / 'sizes.json', 'b'))['evaluated_images'] == 3


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{', 'is not a JSON file'),
        ('[1]', r'expected \{"STEM": \[width, height\]\}, got a list'),
        ('{"b": [1]}', r'sizes\.json: b: expected \[width, height\] in whole pixels, got \[1\]'),
        ('{"b": [0, 5]}', 'in whole pixels'),
        ('{"b": [NaN, 5]}', 'in whole pixels'),
        ('{"b": [Infinity, 5]}', 'in whole pixels'),
        ('{"b": [5.5, 5]}', 'in whole pixels'),
        ('{"b": [true, 5]}', 'in whole pixels'),
        ('{"b": "5x5"}', 'in whole pixels'),
    ],
)
def test_bad_sizes(content: str, message: str, labels: Path, results: Path, tmp_path: Path) -> None:
    (tmp_path / 'sizes.json').write_text(content)
    with pytest.raises(DataError, match=message):
        evaluate_folders(labels, results, tmp_path / 'sizes.json')


def test_sizes_from_images(labels: Path, results: Path, sizes: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'images'
    folder.mkdir()
    with pytest.raises(DataError, match=r'images: no image b\.jpg'):
        evaluate_folders(labels, results, images=folder)
    cv2.imwrite(str(folder / 'b.jpg'), np.zeros((80, 100, 3), np.uint8))
    assert evaluate_folders(labels, results, images=folder) == evaluate_folders(labels, results, sizes)
    (folder / 'b.jpg').write_bytes(b'text')
    with pytest.raises(DataError, match=r'b\.jpg: is neither a JPEG nor a PNG image'):
        evaluate_folders(labels, results, images=folder)


def test_images_in_memory_are_checked() -> None:
    rows = np.ones((1, 8))
    with pytest.raises(DataError, match='expected results of 1 images, got 2'):
        evaluate_images([rows], [rows, rows])
    with pytest.raises(DataError, match='expected sizes of 1 images, got 0'):
        evaluate_images([rows], [rows], [])
    with pytest.raises(DataError, match='no images to evaluate'):
        evaluate_images([], [])
    with pytest.raises(DataError, match=r'results of image 0: expected rows of 6 columns or more, got shape \(1, 5\)'):
        evaluate_images([rows], [rows[:, :5]])
    with pytest.raises(DataError, match=r'labels of x\.jpg, row 0: every column must be a finite number'):
        evaluate_images([rows * np.nan], [rows], stems=['x.jpg'])


def test_report_is_plain_json(labels: Path, results: Path, sizes: Path) -> None:
    report = evaluate_folders(labels, results, sizes)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
