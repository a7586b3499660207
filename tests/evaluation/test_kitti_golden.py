"""The numbers of the official C++ program, on made-up and on real frames."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.kitti_sets import not_evaluated, unpack, worst_difference

from pointkd.evaluation.kitti import evaluate_folders

TOLERANCE = 1e-9  # percent
SYNTHETIC = ('s1_realistic', 's2_perfect', 's3_ties_and_order', 's4_borders', 's5_neighbours_dontcare', 's6_missing_and_absent')  # fmt: skip  # noqa: E501
REAL = (
    '01_perfect', '02_empty_results', '03_no_cyclist', '04_tied_scores', '05_dontcare', '06_min_height',
    '07_missing_files', '08_rotation_pi', '09_duplicates',
)  # fmt: skip


def load(path: Path) -> dict:
    return json.loads(path.read_text())


def check_set(source: Path, folder: Path) -> None:
    data = unpack(source / 'data.tar.gz', folder)
    report = evaluate_folders(data / 'labels', data / 'results')
    assert worst_difference(report, load(source / 'expected.json')) < TOLERANCE
    assert not_evaluated(report) == load(source / 'about.json')['not_evaluated']


@pytest.mark.parametrize('name', SYNTHETIC)
def test_made_up_sets(name: str, golden: Path, tmp_path: Path) -> None:
    check_set(golden / 'kitti_eval_synthetic' / name, tmp_path)


@pytest.mark.data
@pytest.mark.parametrize('name', REAL)
def test_real_sets(name: str, shared: Path, tmp_path: Path) -> None:
    check_set(shared / 'golden' / 'kitti_eval' / name, tmp_path)


@pytest.mark.data
def test_missing_files_count_as_missed_or_drop_out(shared: Path, tmp_path: Path) -> None:
    source = shared / 'golden' / 'kitti_eval' / '07_missing_files'
    data = unpack(source / 'data.tar.gz', tmp_path)
    report = evaluate_folders(data / 'labels', data / 'results', only_with_results=True)
    assert worst_difference(report, load(source / 'expected_frames_with_results_only.json')) < TOLERANCE
    assert (report['missing_files'], report['frames']) == (12, 28)


@pytest.fixture(scope='module')
def full(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of the whole validation split: label_2, a/results, c/results."""
    folder = tmp_path_factory.mktemp('full')
    archives = shared / 'data' / 'kitti_eval'
    unpack(archives / 'label_2.tar.gz', folder)
    for name in 'ac':
        unpack(archives / f'results_{name}.tar.gz', folder / name)
    return folder


@pytest.mark.data
@pytest.mark.long
@pytest.mark.parametrize('name', ['a', 'c'])
def test_full_validation_split(name: str, full: Path, shared: Path) -> None:
    source = shared / 'golden' / 'kitti_eval' / f'full_{name}'
    report = evaluate_folders(full / 'label_2', full / name / 'results')
    assert worst_difference(report, load(source / 'expected.json')) < TOLERANCE
    assert not_evaluated(report) == load(source / 'about.json')['not_evaluated']
    assert report['frames'] == 3769


@pytest.mark.data
@pytest.mark.long
def test_validation_labels_against_themselves(full: Path, tmp_path: Path) -> None:
    for path in (full / 'label_2').iterdir():
        rows = [line for line in path.read_text().splitlines() if not line.startswith('DontCare')]
        (tmp_path / path.name).write_text(''.join(f'{line} 1.0\n' for line in rows))
    report = evaluate_folders(full / 'label_2', tmp_path)
    for name in ('Car', 'Pedestrian', 'Cyclist'):
        for metric in ('bbox', 'bev', '3d', 'aos'):
            assert report[name][metric]['AP11'] == pytest.approx([100.0] * 3, abs=1e-9)


def test_a_set_against_itself(golden: Path, tmp_path: Path) -> None:
    """The results of s2_perfect are its labels with random scores: equal scores give the same numbers."""
    source = golden / 'kitti_eval_synthetic' / 's2_perfect'
    labels = unpack(source / 'data.tar.gz', tmp_path) / 'labels'
    itself = tmp_path / 'itself'
    itself.mkdir()
    for path in labels.iterdir():
        rows = [line for line in path.read_text().splitlines() if not line.startswith('DontCare')]
        (itself / path.name).write_text(''.join(f'{line} 0.5\n' for line in rows))
    expected = load(source / 'expected.json')
    assert worst_difference(evaluate_folders(labels, itself), expected) < TOLERANCE
    assert max(expected['Car']['3d']['AP11']) == 100.0
