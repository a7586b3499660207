"""VisDroneMetric: predictions and a COCO file in, the numbers of the official metric out."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.visdrone_frames import write_image

import pointkd.engine  # noqa: F401  registers
from pointkd.core.errors import ConfigError, DataError
from pointkd.core.visdrone import CLASSES, read_rows, write_rows
from pointkd.datasets.visdrone.prepare import prepare
from pointkd.engine.visdrone_metric import VisDroneMetric, read_labels
from pointkd.evaluation.visdrone import METRICS, evaluate_folders

from mmdet.structures import DetDataSample  # isort: skip
from mmengine.evaluator import Evaluator  # isort: skip
from mmengine.registry import METRICS as REGISTRY  # isort: skip
from mmengine.structures import InstanceData  # isort: skip

STEMS = ('b', 'a', 'a-b', 'c')
SIZE = (300, 200)


def random_labels(rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(3, 20))
    size = rng.integers(5, 60, (count, 2))
    corner = (rng.random((count, 2)) * (SIZE - size)).astype(int)
    category = rng.choice([0, 1, 4, 4, 4, 10, 11], count)
    score = np.where((category % 11 == 0) | (rng.random(count) < 0.1), 0, 1)
    return np.column_stack([corner, size, score, category, np.zeros((count, 2), int)]).astype(float)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for stem in STEMS:
        write_image(tmp_path, stem, size=SIZE)
        write_rows(tmp_path / 'annotations' / f'{stem}.txt', random_labels(rng))
    prepare(tmp_path)
    return tmp_path


def predictions(root: Path, classes: tuple[str, ...] = CLASSES) -> list[DetDataSample]:
    """Boxes near the labels, in the order of the COCO file; a third with equal scores."""
    rng = np.random.default_rng(1)
    samples = []
    for number, image in read_labels(root / 'visdrone_all.json').items():
        rows = image.rows[np.isin(image.rows[:, 5], [CLASSES.index(name) + 1 for name in classes])]
        rows = np.concatenate([rows, rows[::2]])
        boxes = rows[:, :4] + rng.normal(0, 2, (len(rows), 4))
        boxes[:, 2:] += boxes[:, :2]
        scores = np.where(rng.random(len(rows)) < 0.3, 0.5, rng.random(len(rows)))
        names = [CLASSES[int(category) - 1] for category in rows[:, 5]]
        sample = DetDataSample(metainfo={'img_id': number})
        sample.pred_instances = InstanceData(
            bboxes=torch.tensor(boxes, dtype=torch.float32),
            scores=torch.tensor(scores, dtype=torch.float32),
            labels=torch.tensor([classes.index(name) for name in names], dtype=torch.int64),
        )
        samples.append(sample)
    return samples


def evaluate(
    metric: VisDroneMetric, samples: list[DetDataSample], classes: tuple[str, ...] = CLASSES
) -> dict[str, float]:
    """Through mmengine's own evaluator, two samples a batch."""
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = {'classes': classes}
    for start in range(0, len(samples), 2):
        evaluator.process(samples[start : start + 2])
    return evaluator.evaluate(len(samples))


def test_numbers_are_those_of_the_result_files(root: Path, tmp_path: Path) -> None:
    out = tmp_path / 'results'
    metric = REGISTRY.build(
        dict(type='VisDroneMetric', ann_file=str(root / 'visdrone_all.json'), outfile_prefix=str(out))
    )
    found = evaluate(metric, predictions(root))
    expected = evaluate_folders(root / 'annotations', out, images=root / 'images')
    assert {path.stem for path in out.iterdir()} == set(STEMS)
    for name in METRICS:
        assert found[f'visdrone/{name}'] == expected[name]
        assert found[f'visdrone/car_{name}'] == expected['classes']['car'][name]
        assert found[f'visdrone/small_{name}'] == expected['sizes']['small'][name]
    assert 0 < found['visdrone/AP'] < 100
    assert math.isnan(found['visdrone/bus_AP'])


def test_order_of_samples_changes_nothing(root: Path) -> None:
    samples = predictions(root)
    first = evaluate(VisDroneMetric(str(root / 'visdrone_all.json')), samples)
    second = evaluate(VisDroneMetric(str(root / 'visdrone_all.json')), samples[::-1])
    assert first == pytest.approx(second, nan_ok=True, abs=0)


def test_some_classes_in_another_order(root: Path) -> None:
    classes = ('motor', 'car')
    found = evaluate(VisDroneMetric(str(root / 'visdrone_all.json')), predictions(root, classes), classes)
    assert found['visdrone/pedestrian_AP'] == 0.0
    assert found['visdrone/motor_AP'] > 0
    assert found['visdrone/car_AP'] > 0


def test_images_that_were_not_predicted_are_left_out(root: Path) -> None:
    samples = predictions(root)
    found = evaluate(VisDroneMetric(str(root / 'visdrone_all.json'), prefix='some'), samples[:1])
    content = json.loads((root / 'visdrone_all.json').read_text())
    content['images'] = content['images'][:1]
    (root / 'one.json').write_text(json.dumps(content))
    alone = evaluate(VisDroneMetric(str(root / 'one.json'), prefix='some'), samples[:1])
    assert found == pytest.approx(alone, nan_ok=True, abs=0)


def test_predictions_that_are_not_finite_take_no_part(root: Path) -> None:
    expected = evaluate(VisDroneMetric(str(root / 'visdrone_all.json')), predictions(root))
    samples = predictions(root)
    bad = InstanceData(
        bboxes=torch.tensor([[0, 0, math.nan, 5.0], [0, 0, 5, 5]]),
        scores=torch.tensor([0.9, math.inf]),
        labels=torch.tensor([3, 3]),
    )
    samples[0].pred_instances = InstanceData.cat([samples[0].pred_instances, bad])
    found = evaluate(VisDroneMetric(str(root / 'visdrone_all.json')), samples)
    assert found == pytest.approx(expected, nan_ok=True, abs=0)


def test_no_predictions(root: Path) -> None:
    samples = predictions(root)
    for sample in samples:
        sample.pred_instances = sample.pred_instances[:0]
    assert evaluate(VisDroneMetric(str(root / 'visdrone_all.json')), samples)['visdrone/AP'] == 0.0


def test_format_only(root: Path, tmp_path: Path) -> None:
    metric = VisDroneMetric(str(root / 'visdrone_all.json'), str(tmp_path / 'results'), format_only=True)
    assert evaluate(metric, predictions(root)) == {}
    assert len(list((tmp_path / 'results').glob('*.txt'))) == len(STEMS)
    with pytest.raises(ConfigError, match='format_only needs outfile_prefix'):
        VisDroneMetric('a.json', format_only=True)


def test_an_unknown_class(root: Path) -> None:
    with pytest.raises(ConfigError, match="'lorry' is no class of VisDrone"):
        evaluate(VisDroneMetric(str(root / 'visdrone_all.json')), predictions(root), ('lorry',))


def test_an_image_predicted_twice(root: Path) -> None:
    samples = predictions(root)
    with pytest.raises(DataError, match='image a was predicted more than once'):
        evaluate(VisDroneMetric(str(root / 'visdrone_all.json')), [*samples, samples[0]])


def test_an_image_of_another_file(root: Path) -> None:
    samples = predictions(root)
    samples[0].set_metainfo({'img_id': 99})
    with pytest.raises(DataError, match=r'image 99 is not in .*visdrone_all\.json'):
        evaluate(VisDroneMetric(str(root / 'visdrone_all.json')), samples)


@pytest.mark.parametrize('content', ['', '[]', '{"images": []}', '{"images": [{}], "annotations": []}'])
def test_broken_files(content: str, root: Path) -> None:
    path = root / 'broken.json'
    path.write_text(content)
    with pytest.raises(DataError, match=r'broken\.json is no COCO file of VisDrone'):
        read_labels(path)
    with pytest.raises(DataError, match='can not be read'):
        read_labels(root / 'nowhere.json')


def test_labels_are_the_rows_of_the_files(root: Path) -> None:
    found = {image.stem: image for image in read_labels(root / 'visdrone_all.json').values()}
    for stem in STEMS:
        np.testing.assert_array_equal(found[stem].rows, read_rows(root / 'annotations' / f'{stem}.txt'))
        assert found[stem].size == SIZE
