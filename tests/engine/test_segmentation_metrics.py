"""CityscapesMetric and BoundaryMetric: data samples in, the numbers of the evaluation of folders out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.cityscapes_sets import unpack, write_pair

import pointkd.engine
from pointkd.core.errors import ConfigError, DataError
from pointkd.core.label_images import read_label_image
from pointkd.engine.boundary_metric import BoundaryMetric
from pointkd.engine.cityscapes_metric import CityscapesMetric
from pointkd.evaluation.boundary import BoundaryRules, count_image, scores
from pointkd.evaluation.cityscapes import CLASSES, TRAIN_IDS, evaluate_folders

from mmengine.evaluator import Evaluator  # isort: skip
from mmengine.registry import METRICS, DefaultScope  # isort: skip
from mmengine.structures import PixelData  # isort: skip
from mmseg.registry import METRICS as METRICS_SEG  # isort: skip
from mmseg.structures import SegDataSample  # isort: skip

assert pointkd.engine
CITYSCAPES = {'classes': CLASSES}
CAMVID = {'classes': tuple('abcdefghijk')}


def sample_of(predictions: np.ndarray, labels: np.ndarray | None = None, **meta: str) -> SegDataSample:
    """What a network of mmseg returns for an image."""
    sample = SegDataSample(metainfo={'img_path': 'x.png'} | meta)
    sample.pred_sem_seg = PixelData(data=torch.from_numpy(predictions.astype(np.int64))[None])
    if labels is not None:
        sample.gt_sem_seg = PixelData(data=torch.from_numpy(labels.astype(np.uint8))[None])
    return sample


def run(metric: object, samples: list[SegDataSample], meta: dict) -> dict[str, float]:
    """As mmengine's loop does: batches of two."""
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = meta
    for start in range(0, len(samples), 2):
        evaluator.process(samples[start : start + 2], None)
    return evaluator.evaluate(len(samples))


@pytest.fixture
def folder(golden: Path, tmp_path: Path) -> Path:
    return unpack(golden / 'cityscapes_eval' / 'class_missing', tmp_path)


def samples_of(folder: Path) -> list[SegDataSample]:
    """The set's predictions as train ids; what they say of other ids is no class (255)."""
    samples = []
    for path in sorted(folder.rglob('*_gtFine_labelIds.png')):
        stem = path.name.removesuffix('_gtFine_labelIds.png')
        prediction = read_label_image(next((folder / 'results').rglob(f'{stem}*')))
        label = str(path).replace('labelIds', 'labelTrainIds')
        samples.append(sample_of(TRAIN_IDS[prediction], img_path=f'{stem}_leftImg8bit.png', seg_map_path=label))
    return samples


def test_they_are_found_by_name(tmp_path: Path) -> None:
    for registry in (METRICS, METRICS_SEG):
        assert registry.get('CityscapesMetric') is CityscapesMetric
        assert registry.get('BoundaryMetric') is BoundaryMetric
    with DefaultScope.overwrite_default_scope('mmseg'):
        stock = METRICS.build(dict(type='CityscapesMetric', output_dir=str(tmp_path / 'unused')))
    assert isinstance(stock, CityscapesMetric)
    assert not list(tmp_path.iterdir())


def test_numbers_equal_those_of_the_files(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    numbers = run(CityscapesMetric(output_dir=str(out), keep_results=True), samples_of(folder), CITYSCAPES)
    expected = evaluate_folders(folder / 'labels', out)
    assert expected['images'] == 8
    for name in ('mIoU', 'mIoU_categories', 'iIoU', 'mAcc', 'aAcc'):
        assert numbers[f'cityscapes/{name}'] == pytest.approx(expected[name], abs=1e-9)
    assert numbers['cityscapes/boundary_F'] == pytest.approx(expected['boundary']['F'], abs=1e-9)
    assert numbers['cityscapes/boundary_IoU'] == pytest.approx(expected['boundary']['boundary_IoU'], abs=1e-9)
    assert numbers['cityscapes/boundary_trimap_mIoU_9'] == pytest.approx(expected['boundary']['trimap_mIoU']['9'])


def test_without_instances_and_without_boundary(folder: Path) -> None:
    for path in folder.rglob('*_instanceIds.png'):
        path.unlink()
    numbers = run(CityscapesMetric(boundary=False), samples_of(folder), CITYSCAPES)
    assert numbers['cityscapes/iIoU'] == 0.0
    assert numbers['cityscapes/mIoU'] > 50
    assert not [name for name in numbers if 'boundary' in name]


def test_some_instances_missing(folder: Path) -> None:
    next(folder.rglob('*_instanceIds.png')).unlink()
    with pytest.raises(DataError, match='only 7 of 8 labels have an instance image'):
        run(CityscapesMetric(), samples_of(folder), CITYSCAPES)


def test_only_writing(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / 'submission'
    samples = [sample_of(np.full((4, 6), 13), img_path='data/berlin_000000_000019_leftImg8bit.png')]
    assert run(CityscapesMetric(output_dir=str(out), format_only=True), samples, CITYSCAPES) == {}
    written = read_label_image(out / 'berlin_000000_000019_leftImg8bit.png')
    np.testing.assert_array_equal(written, np.full((4, 6), 26))


def test_wrong_predictions_and_files(tmp_path: Path) -> None:
    road = np.full((4, 6), 7, np.uint8)
    write_pair(tmp_path, 'a_0_0', road, None)
    seg_map = str(tmp_path / 'labels' / 'a' / 'a_0_0_gtFine_labelTrainIds.png')
    good = np.zeros((4, 6))
    for predictions, meta, message in (
        (good + 19, {'seg_map_path': seg_map}, r'expected train ids 0\.\.18, got 19\.\.19'),
        (
            good[:3],
            {'seg_map_path': seg_map},
            r'x\.png, label .*a_0_0_gtFine_labelIds\.png: prediction: expected the size',
        ),
        (good, {}, 'expected a label image .* got none'),
        (good, {'seg_map_path': 'x_labels.png'}, r'got x_labels\.png; other data sets are evaluated by IoUMetric'),
        (good, {'seg_map_path': seg_map.replace('a_0_0', 'a_0_1')}, 'a_0_1_gtFine_labelIds.png: can not be read'),
    ):
        with pytest.raises(DataError, match=message):
            run(CityscapesMetric(), [sample_of(predictions, **meta)], CITYSCAPES)
    with pytest.raises(ConfigError, match='the classes must be those of Cityscapes'):
        run(CityscapesMetric(), [sample_of(good, seg_map_path=seg_map)], CAMVID)


def test_boundary_of_eleven_classes() -> None:
    rng = np.random.default_rng(0)
    pairs = [(np.repeat(rng.integers(0, 11, (2, 6, 1)), 40, 2).repeat(5, 1)) for _ in range(3)]
    pairs = [(np.where(rng.random(pair[0].shape) < 0.02, 255, pair[0]), pair[1]) for pair in pairs]
    metric = BoundaryMetric(trimap_radii=[1, 2.5], tolerance=2, band=0.02)
    numbers = run(metric, [sample_of(predictions, labels) for labels, predictions in pairs], CAMVID)
    rules = BoundaryRules((1, 2.5), 2, 0.02)
    first, *others = (count_image(*(image.astype(np.uint8) for image in pair), 11, rules) for pair in pairs)
    expected = scores(sum(others, start=first))
    assert set(numbers) == {f'boundary/{name}' for name in ('trimap_mIoU_1', 'trimap_mIoU_2.5', 'F', 'boundary_IoU')}
    assert numbers['boundary/F'] == pytest.approx(100 * np.nanmean(expected.f))
    assert numbers['boundary/boundary_IoU'] == pytest.approx(100 * np.nanmean(expected.boundary_iou))
    assert numbers['boundary/trimap_mIoU_2.5'] == pytest.approx(100 * np.nanmean(expected.trimap_iou[1]))


def test_boundary_beside_stock_iou_with_another_ignored_value() -> None:
    labels = np.zeros((10, 10), np.uint8)
    labels[:, 5:], labels[0] = 1, 11
    evaluator = Evaluator([dict(type='mmseg.IoUMetric', ignore_index=11), BoundaryMetric(ignore_index=11)])
    evaluator.dataset_meta = CAMVID
    evaluator.process([sample_of(labels % 11, labels)], None)
    numbers = evaluator.evaluate(1)
    assert (numbers['mIoU'], numbers['boundary/F'], numbers['boundary/boundary_IoU']) == (100.0, 100.0, 100.0)


def test_all_ignored_is_zero_for_save_best() -> None:
    void = np.full((5, 5), 255)
    assert set(run(BoundaryMetric(), [sample_of(void * 0, void)], CAMVID).values()) == {0.0}


def test_wrong_boundary_input() -> None:
    good = np.zeros((4, 6))
    for sample, message in (
        (sample_of(good, good[:3]), r'x\.png: predictions: expected the size of the labels \(3, 6\), got \(4, 6\)'),
        (sample_of(good + 11, good), r'x\.png: predictions: expected 0\.\.10, or 255 for none, got 11'),
        (sample_of(good + 300, good), r'x\.png: prediction: expected classes .* got 300\.\.300'),
        (sample_of(good), 'the data sample has no gt_sem_seg'),
    ):
        with pytest.raises(DataError, match=message):
            run(BoundaryMetric(), [sample], CAMVID)
    with pytest.raises(ConfigError, match='names no classes'):
        run(BoundaryMetric(), [sample_of(good, good)], {})


@pytest.mark.parametrize('kind', [CityscapesMetric, BoundaryMetric])
def test_wrong_arguments(kind: type) -> None:
    with pytest.raises(ConfigError, match="no argument 'ignore_indx', did you mean 'ignore_index'"):
        kind(ignore_indx=255)
    with pytest.raises(ConfigError, match=r'need output_dir|expected 0\.\.180'):
        kind(**({'keep_results': True} if kind is CityscapesMetric else {'tolerance': 500}))
