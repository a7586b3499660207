"""Which frames are evaluated, and what is wrong with folders and files."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.kitti_sets import row, write

from pointkd.core.errors import ConfigError, DataError
from pointkd.evaluation.kitti import evaluate_folders, read_frame_list


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write(tmp_path / 'labels', f000000=row('Car'), f000001=row('Car', at=1), f000002=row('Pedestrian'))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write(tmp_path / 'results', f000000=row('Car', score=0.9), f000001=row('Car', at=1, score=0.8))


def test_every_label_file_is_a_frame(labels: Path, results: Path) -> None:
    report = evaluate_folders(labels, results)
    assert report['frames'] == 3
    assert report['missing_files'] == 1
    assert report['objects'] == {'Car': 2, 'Pedestrian': 1, 'Cyclist': 0}
    assert report['detections'] == {'Car': 2, 'Pedestrian': 0, 'Cyclist': 0}


def test_only_with_results(labels: Path, results: Path) -> None:
    report = evaluate_folders(labels, results, only_with_results=True)
    assert (report['frames'], report['missing_files'], report['objects']['Pedestrian']) == (2, 1, 0)


def test_frames_of_a_list(labels: Path, results: Path) -> None:
    report = evaluate_folders(labels, results, frames=['000001'])
    assert (report['frames'], report['missing_files'], report['extra_files']) == (1, 0, 0)
    assert report['detections']['Car'] == 1


def test_results_of_unlabelled_frames_are_counted_not_read(labels: Path, results: Path) -> None:
    alone = evaluate_folders(labels, results)
    write(results, f000077='not a row of numbers')
    report = evaluate_folders(labels, results)
    assert report.pop('extra_files') == 1
    assert report == {key: value for key, value in alone.items() if key != 'extra_files'}


def test_other_files_are_left_alone(labels: Path, results: Path) -> None:
    (labels / 'readme.md').write_text('text')
    (labels / '._000000.txt').write_bytes(b'\x00\x05')  # what macOS archives leave behind
    assert evaluate_folders(labels, results)['frames'] == 3


def test_dropped_rows_are_counted(labels: Path, results: Path) -> None:
    write(results, f000002=row('Car') + row('Car'), f000001=row('Car', at=1, score=0.8))
    write(labels, f000002='Pedestrian 0 0\n')
    assert evaluate_folders(labels, results)['dropped_rows'] == {'labels': 1, 'results': 2}


def test_empty_result_files_and_empty_result_folder(labels: Path, tmp_path: Path) -> None:
    empty_files = write(tmp_path / 'empty_files', f000000='', f000001='', f000002='\n')
    report = evaluate_folders(labels, empty_files)
    assert report['missing_files'] == 0
    assert report['Car']['bbox']['AP40'] == [None] * 3
    assert report['mAP']['bbox']['AP40'] == [0.0] * 3
    empty_folder = write(tmp_path / 'empty_folder')
    assert evaluate_folders(labels, empty_folder)['missing_files'] == 3


def test_empty_label_files(tmp_path: Path) -> None:
    labels, results = write(tmp_path / 'labels', f1=''), write(tmp_path / 'results', f1=row('Car', score=1))
    assert evaluate_folders(labels, results)['Car']['bbox']['AP40'] == [0.0] * 3


@pytest.mark.parametrize('side', ['labels', 'results'])
def test_missing_folder(side: str, labels: Path, results: Path) -> None:
    folders = {'labels': labels, 'results': results} | {side: labels / 'nowhere'}
    with pytest.raises(DataError, match=rf'{side}: the folder .*nowhere can not be read \(No such file or directory\)'):
        evaluate_folders(**folders)


def test_a_file_in_place_of_a_folder(labels: Path, results: Path) -> None:
    with pytest.raises(DataError, match='Not a directory'):
        evaluate_folders(labels, results / '000000.txt')


def test_label_folder_without_labels(tmp_path: Path, results: Path) -> None:
    with pytest.raises(DataError, match=r'no label files \(ID\.txt\) in this folder'):
        evaluate_folders(write(tmp_path / 'empty'), results)


def test_results_of_other_frames_only(labels: Path, tmp_path: Path) -> None:
    results = write(tmp_path / 'other', f1=row('Car', score=1))
    with pytest.raises(DataError, match=r"none of the 1 result files .* like '000000', results like '1'"):
        evaluate_folders(labels, results)


def test_nothing_left_to_evaluate(labels: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match='no result file'):
        evaluate_folders(labels, write(tmp_path / 'none'), only_with_results=True)


def test_listed_frame_without_a_label_file(labels: Path, results: Path) -> None:
    with pytest.raises(DataError, match=r'no label file for 1 of the frames asked for \(000009\)'):
        evaluate_folders(labels, results, frames=['000000', '000009'])


def test_frame_listed_twice(labels: Path, results: Path) -> None:
    with pytest.raises(DataError, match=r'listed more than once \(000000\)'):
        evaluate_folders(labels, results, frames=['000000', '000001', '000000'])


def test_no_frames_listed(labels: Path, results: Path) -> None:
    with pytest.raises(DataError, match='the list is empty'):
        evaluate_folders(labels, results, frames=[])


def test_frame_list(tmp_path: Path) -> None:
    path = tmp_path / 'val.txt'
    path.write_text('000001\n\n 000002 \r\n')
    assert read_frame_list(path) == ['000001', '000002']


def test_bad_frame_lists(tmp_path: Path) -> None:
    path = tmp_path / 'val.txt'
    with pytest.raises(DataError, match='can not be read'):
        read_frame_list(path)
    path.write_text('\n')
    with pytest.raises(DataError, match='names no frame'):
        read_frame_list(path)
    path.write_bytes(b'\xff\xfe1')
    with pytest.raises(DataError, match='is not a text file'):
        read_frame_list(path)


def test_bad_numbers_name_file_and_line(labels: Path, results: Path) -> None:
    write(results, f000001=row('Car', score=1) + row('Car', score=1).replace(' 1.5 ', ' wide '))
    with pytest.raises(DataError, match=r"results/000001\.txt:2: every column .* got 'wide'"):
        evaluate_folders(labels, results)


@pytest.mark.parametrize('word', ['nan', 'inf', '1e400'])
@pytest.mark.parametrize('side', ['labels', 'results'])
def test_nan_and_infinity_are_refused(word: str, side: str, labels: Path, results: Path) -> None:
    score = None if side == 'labels' else 1
    write(labels.parent / side, f000001=row('Car', score=score).replace(' 1.5 ', f' {word} '))
    with pytest.raises(DataError, match=rf'{side}/000001\.txt:1: every .* finite'):
        evaluate_folders(labels, results)


def test_binary_file_is_refused(labels: Path, results: Path) -> None:
    (results / '000001.txt').write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match=r'000001\.txt:1: is not a text file'):
        evaluate_folders(labels, results)


def test_exactly_one_of_width_and_length_negative_is_refused(labels: Path, results: Path) -> None:
    write(results, f000001=row('Car', score=1, w=-1, l=-1) + row('Car', score=1, w=-1) + row('Car', score=1, l=-1))
    with pytest.raises(DataError, match=r'000001\.txt:2: width and length .* same sign .* \(2 such rows in all\)'):
        evaluate_folders(labels, results)


def test_occlusion_of_labels_is_a_whole_number(labels: Path, results: Path) -> None:
    write(labels, f000001=row('Car', occlusion=0.5))
    with pytest.raises(DataError, match=r'labels/000001\.txt:1: occlusion must be a whole number'):
        evaluate_folders(labels, results)


def test_label_file_that_is_a_folder(labels: Path, results: Path) -> None:
    (labels / '000005.txt').mkdir()
    with pytest.raises(DataError, match=r'000005\.txt: can not be read \(Is a directory\)'):
        evaluate_folders(labels, results)


@pytest.mark.parametrize(
    ('min_overlaps', 'message'),
    [
        ({'Cat': 0.5}, "no class 'Cat', did you mean 'Car'"),
        ({'Car': {'aos': 0.5}}, "no metric 'aos'"),
        ({'Car': 1.5}, 'between 0 and 1, got 1.5'),
        ({'Car': float('nan')}, 'between 0 and 1'),
    ],
)
def test_bad_overlaps(min_overlaps: dict, message: str, labels: Path, results: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        evaluate_folders(labels, results, min_overlaps=min_overlaps)


def test_a_class_of_your_own_stands_for_one_of_kitti(tmp_path: Path) -> None:
    expected = evaluate_folders(
        write(tmp_path / 'a', f0=row('Car'), f1=row('Pedestrian')),
        write(tmp_path / 'b', f0=row('Car', score=0.9), f1=row('Pedestrian', score=0.5)),
    )
    own = {'Counterbalance_forklift': 'Car', 'Worker': 'Pedestrian'}
    found = evaluate_folders(
        write(tmp_path / 'c', f0=row('counterbalance_Forklift'), f1=row('Worker')),
        write(tmp_path / 'd', f0=row('Counterbalance_forklift', score=0.9), f1=row('Worker', score=0.5)),
        stand_for=own,
    )
    assert found == expected
    assert found['detections']['Car'] == 1


@pytest.mark.parametrize(('own', 'message'), [({'Forklift': 'Cra'}, "did you mean 'Car'"), ({'Van': 'Car'}, 'own')])
def test_what_stands_for_what_is_checked(labels: Path, results: Path, own: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        evaluate_folders(labels, results, stand_for=own)
