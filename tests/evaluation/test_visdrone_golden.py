"""The numbers of the official toolkit, on made-up and on real labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.kitti_sets import unpack
from helpers.visdrone_reference import evaluate_folders as reference
from helpers.visdrone_sets import worst_difference

from pointkd.evaluation.visdrone import CLASSES, Report, evaluate_folders

TOLERANCE = 1e-9  # percent
MADE_UP = ('s1_realistic', 's2_ignored_and_ties', 's3_over500_outside')
REAL = ('class_missing', 'ignored', 'missing', 'outside', 'over500', 'perfect', 'realistic', 'ties')


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def evaluate_set(source: Path, folder: Path) -> Report:
    for name in ('labels', 'results'):
        unpack(source / f'{name}.tar.gz', folder)
    return evaluate_folders(folder / 'labels', folder / 'results', source / 'sizes.json')


def check_set(source: Path, folder: Path) -> None:
    report = evaluate_set(source, folder)
    assert worst_difference(report, load(source / 'expected.json')) < TOLERANCE
    details = load(source / 'details.json')
    for name in CLASSES:
        entry = report['classes'][name]
        assert entry['images'] == details['class_images'][name]
        precision = details['AP_by_class_and_threshold'][name]
        if entry['images']:  # details are rounded to 6 digits
            assert entry['AP'] == pytest.approx(sum(precision) / 10, abs=2e-6)
            assert entry['AP50'] == pytest.approx(precision[0], abs=2e-6)
            assert entry['AP75'] == pytest.approx(precision[5], abs=2e-6)
        else:
            assert entry['AP'] is None
            assert entry['AR500'] is None


@pytest.mark.parametrize('name', MADE_UP)
def test_made_up_sets(name: str, golden: Path, tmp_path: Path) -> None:
    check_set(golden / 'visdrone_eval_synthetic' / name, tmp_path)


@pytest.mark.data
@pytest.mark.parametrize('name', REAL)
def test_real_sets(name: str, shared: Path, tmp_path: Path) -> None:
    check_set(shared / 'golden' / 'visdrone_eval' / name, tmp_path)


@pytest.mark.data
def test_missing_files_are_counted(shared: Path, tmp_path: Path) -> None:
    report = evaluate_set(shared / 'golden' / 'visdrone_eval' / 'missing', tmp_path)
    labels, results = ({path.name for path in (tmp_path / name).iterdir()} for name in ('labels', 'results'))
    assert report['missing_files'] == len(labels - results) > 0
    assert report['extra_files'] == 1


def test_reference_gives_the_official_numbers(golden: Path, tmp_path: Path) -> None:
    """So that equality with the reference means something; s3 would take a minute."""
    source = golden / 'visdrone_eval_synthetic' / 's2_ignored_and_ties'
    evaluate_set(source, tmp_path)
    slow = reference(tmp_path / 'labels', tmp_path / 'results', source / 'sizes.json')
    assert worst_difference(slow, load(source / 'expected.json')) < TOLERANCE


@pytest.mark.parametrize('name', MADE_UP)
def test_every_class_once_is_another_number(name: str, golden: Path, tmp_path: Path) -> None:
    report = evaluate_set(golden / 'visdrone_eval_synthetic' / name, tmp_path)
    plain = [entry['AP'] for entry in report['classes'].values() if entry['AP'] is not None]
    assert report['plain_mean']['AP'] == pytest.approx(sum(plain) / len(plain))
    assert abs(report['plain_mean']['AP'] - report['AP']) > 0.1
