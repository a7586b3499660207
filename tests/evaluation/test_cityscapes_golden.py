"""The numbers of cityscapesScripts on made-up sets, and a plain sum over pixels on random ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import cityscapes_reference
from helpers.cityscapes_sets import SETS, unpack, worst_difference, write_pair
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.evaluation.cityscapes import CityscapesCounter, CityscapesCounts, evaluate_folders, report

TOLERANCE = 1e-9  # percent
LABELS = [0, 3, 7, 8, 11, 17, 23, 24, 25, 26, 28, 29, 30, 31, 33]
INSTANCES = [0, 7, 24, 26, 999, 1000, 24000, 24001, 24002, 25001, 26001, 26999, 28001, 29001, 30002, 33001]


@pytest.mark.parametrize('name', SETS)
def test_made_up_sets(name: str, golden: Path, tmp_path: Path) -> None:
    source = golden / 'cityscapes_eval' / name
    folder = unpack(source, tmp_path)
    found = evaluate_folders(folder / 'labels', folder / 'results')
    expected = json.loads((source / 'expected.json').read_text())
    assert worst_difference(found, expected) < TOLERANCE
    assert list(found)[: len(expected)] == list(expected)
    assert list(found['boundary']) == ['trimap_mIoU', 'F', 'boundary_IoU']
    assert list(found['boundary']['trimap_mIoU']) == ['1', '3', '5', '9']


@pytest.mark.parametrize('jobs', [1, 3])
def test_threads_and_boundary_change_nothing(jobs: int, golden: Path, tmp_path: Path) -> None:
    folder = unpack(golden / 'cityscapes_eval' / 'realistic', tmp_path)
    full = evaluate_folders(folder / 'labels', folder / 'results', jobs=2)
    assert evaluate_folders(folder / 'labels', folder / 'results', jobs=jobs) == full
    alone = evaluate_folders(folder / 'labels', folder / 'results', boundary=False, jobs=jobs)
    assert alone == {key: value for key, value in full.items() if not key.startswith('boundary')}


def test_a_right_prediction_has_full_scores(golden: Path, tmp_path: Path) -> None:
    folder = unpack(golden / 'cityscapes_eval' / 'perfect', tmp_path)
    found = evaluate_folders(folder / 'labels', folder / 'results')
    assert found['boundary'] == {
        'trimap_mIoU': dict.fromkeys(['1', '3', '5', '9'], 100.0), 'F': 100.0, 'boundary_IoU': 100.0,
    }  # fmt: skip
    assert found['boundary_classes']['F']['bus'] is None


def test_nothing_labelled_is_undefined(golden: Path, tmp_path: Path) -> None:
    folder = unpack(golden / 'cityscapes_eval' / 'all_ignore', tmp_path)
    found = evaluate_folders(folder / 'labels', folder / 'results')
    assert found['boundary'] == {'trimap_mIoU': dict.fromkeys(['1', '3', '5', '9']), 'F': None, 'boundary_IoU': None}


def test_without_instance_images(golden: Path, tmp_path: Path) -> None:
    source = golden / 'cityscapes_eval' / 'realistic'
    folder = unpack(source, tmp_path)
    for path in folder.rglob('*_instanceIds.png'):
        path.unlink()
    found = evaluate_folders(folder / 'labels', folder / 'results')
    expected = json.loads((source / 'expected.json').read_text())
    expected |= {'iIoU': None, 'iIoU_classes': dict.fromkeys(expected['iIoU_classes']), 'iIoU_categories': None}
    assert worst_difference(found, expected) < TOLERANCE


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 15))
def test_equal_to_plain_sums(seed: int, images: int, ids: int) -> None:
    rng = np.random.default_rng(seed)
    made, counter, counts = [], CityscapesCounter(), CityscapesCounts.zero(boundary=True)
    for _ in range(images):
        shape = tuple(rng.integers(1, 12, 2))
        labels, predictions = (rng.choice(rng.permutation(LABELS)[:ids], shape).astype(np.uint8) for _ in range(2))
        predictions = np.where(rng.random(shape) < 0.5, labels, predictions)
        instances = rng.choice(INSTANCES, shape).astype(np.uint16)
        made.append((labels, predictions, instances))
        counts = counts + counter.count(labels, predictions, instances)
    assert worst_difference(report(counts), cityscapes_reference.evaluate(made)) < TOLERANCE


def test_large_instance_numbers_survive_the_file(tmp_path: Path) -> None:
    """16-bit values above 32767 (bicycles) and above 255, through PNG."""
    labels = np.full((4, 40), 33, np.uint8)
    instances = np.repeat([33001, 33002, 33255, 33999], 10)[None].repeat(4, 0).astype(np.uint16)
    predictions = labels.copy()
    predictions[:, 35:] = 7
    write_pair(tmp_path, 'a_0_0', labels, predictions, instances)
    found = evaluate_folders(tmp_path / 'labels', tmp_path / 'results')
    assert found['iIoU_classes']['bicycle'] == pytest.approx(100 * 3.5 / 4)
    assert found['IoU']['road'] == 0.0


@pytest.mark.data
def test_the_real_pair_is_read(shared: Path, tmp_path: Path) -> None:
    sample = shared / 'data' / 'cityscapes_sample' / 'gtFine' / 'val'
    (label,) = sample.rglob('*_labelIds.png')
    target = tmp_path / 'anywhere' / label.name.replace('gtFine_labelIds', 'mine')
    target.parent.mkdir()
    target.write_bytes(label.read_bytes())
    found = evaluate_folders(sample, tmp_path)
    assert found['mIoU'] == found['iIoU'] == found['aAcc'] == found['boundary']['F'] == 100.0
    assert found['iIoU_classes']['person'] == 100.0
