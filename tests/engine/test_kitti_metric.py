"""KittiMetric: predictions and an info file in, the numbers of the official metric out."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointkd.engine
from pointkd.core.boxes import camera_to_lidar_boxes
from pointkd.core.errors import ConfigError, DataError
from pointkd.core.kitti import Calibration, KittiObjects
from pointkd.datasets.kitti_infos import frame_info
from pointkd.engine import kitti_metric
from pointkd.engine.kitti_metric import KittiMetric
from pointkd.engine.kitti_objects import Camera, camera_of, image_boxes, labels_of
from pointkd.evaluation.kitti import evaluate_folders

from mmdet3d.evaluation.metrics.kitti_metric import KittiMetric as StockMetric  # isort: skip
from mmdet3d.registry import METRICS as METRICS_3D  # isort: skip
from mmdet3d.structures import Box3DMode, CameraInstance3DBoxes, Det3DDataSample, LiDARInstance3DBoxes  # isort: skip
from mmengine.evaluator import Evaluator  # isort: skip
from mmengine.registry import METRICS, DefaultScope  # isort: skip
from mmengine.structures import InstanceData  # isort: skip

NAMES = ('Pedestrian', 'Cyclist', 'Car', 'Van', 'Truck', 'Person_sitting', 'Tram', 'Misc')  # of an info file
CLASSES = ('Pedestrian', 'Cyclist', 'Car')  # of the network
SIZE = (1242, 375)
PROJECTION = np.array([[720.0, 0, 610, 45], [0, 720, 175, 0.2], [0, 0, 1, 0.003], [0, 0, 0, 1]])
TURN = 0.01
LIDAR_TO_CAMERA = np.array(
    [[np.sin(TURN), -np.cos(TURN), 0, 0.0], [0, 0, -1, -0.08], [np.cos(TURN), np.sin(TURN), 0, -0.27], [0, 0, 0, 1]]
)
CAMERA = Camera(SIZE, PROJECTION[:3], LIDAR_TO_CAMERA)


@dataclass
class Frame:
    """Labels of a frame, and predictions of the network."""

    labels: KittiObjects
    boxes: np.ndarray  # (N, 7) LiDAR frame, bottom
    scores: np.ndarray
    classes: np.ndarray  # (N,) index in CLASSES


def random_labels(rng: np.random.Generator, count: int) -> KittiObjects:
    names = [*rng.choice([*NAMES[:4], 'Car', 'Car'], count).tolist(), 'DontCare']
    dimensions = np.vstack([rng.uniform([1.4, 0.6, 1.5], [2, 1.8, 4.5], (count, 3)), [[-1] * 3]])
    location = np.vstack([rng.uniform([-15, 1.4, 8], [15, 1.9, 45], (count, 3)), [[-1000] * 3]])
    rotation_y = np.append(rng.uniform(-3, 3, count), -10.0)
    boxes, _ = image_boxes(location[:-1], dimensions[:-1], rotation_y[:-1], CAMERA)
    return KittiObjects(
        names=names,
        truncation=np.append(rng.choice([0, 0.15, 0.4], count), -1),
        occlusion=np.append(rng.integers(0, 4, count), -1),
        alpha=np.append(rotation_y[:-1] - np.arctan2(location[:-1, 0], location[:-1, 2]), -10.0),
        boxes_2d=np.vstack([boxes, [[100.0, 100, 400, 200]]]),
        dimensions=dimensions,
        location=location,
        rotation_y=rotation_y,
    )


def random_frame(seed: int) -> Frame:
    """Predictions near the labels, some of them doubled, missed or invented."""
    rng = np.random.default_rng(seed)
    labels = random_labels(rng, int(rng.integers(1, 10)))
    boxes = camera_to_lidar_boxes(labels.location, labels.dimensions, labels.rotation_y, LIDAR_TO_CAMERA)[:-1]
    rows = [row for row, name in enumerate(labels.names[:-1]) if name in CLASSES for _ in range(rng.integers(0, 3))]
    noise = rng.normal(0, 1, (len(rows), 7)) * [0.1, 0.1, 0.03, 0.05, 0.03, 0.03, 0.03]
    classes = [CLASSES.index(labels.names[row]) for row in rows]
    invented = rng.uniform([5, -10, -2, 2, 1, 1.5, -3], [40, 10, -1.5, 4, 2, 1.8, 3], (2, 7))
    predicted = np.vstack([boxes[rows] + noise, invented]).astype(np.float32)
    scores = rng.uniform(0, 1, len(predicted)).astype(np.float32)
    return Frame(labels, predicted, scores, np.array([*classes, 0, 2]))


def info_of(position: int, labels: KittiObjects) -> dict[str, Any]:
    """An entry of an info file, as mmdet3d's converter writes it."""
    instances = [
        {
            'bbox': labels.boxes_2d[row].tolist(),
            'bbox_label': NAMES.index(name) if name in NAMES else -1,
            'bbox_3d': [*labels.location[row], *labels.dimensions[row, [2, 0, 1]], labels.rotation_y[row]],
            'truncated': float(labels.truncation[row]),
            'occluded': int(labels.occlusion[row]),
            'alpha': float(labels.alpha[row]),
            'score': 0.0,
        }
        for row, name in enumerate(labels.names)
    ]
    camera = {
        'img_path': f'{position + 100:06d}.png', 'width': SIZE[0], 'height': SIZE[1],
        'cam2img': PROJECTION.tolist(), 'lidar2cam': LIDAR_TO_CAMERA.tolist(),
    }  # fmt: skip
    points = {'lidar_path': f'{position + 100:06d}.bin'}
    return {'sample_idx': position + 100, 'images': {'CAM2': camera}, 'lidar_points': points, 'instances': instances}


def write_infos(path: Path, frames: list[Frame]) -> Path:
    categories = {name: number for number, name in enumerate(NAMES)} | {'DontCare': -1}
    infos = [info_of(position, frame.labels) for position, frame in enumerate(frames)]
    path.write_bytes(pickle.dumps({'metainfo': {'categories': categories}, 'data_list': infos}))
    return path


def sample_of(position: int, frame: Frame, **meta: Any) -> Det3DDataSample:
    """What a LiDAR detector returns for a frame."""
    sample = Det3DDataSample()
    sample.set_metainfo(
        {'sample_idx': position, 'lidar_path': f'data/velodyne_reduced/{position + 100:06d}.bin'} | meta
    )
    sample.pred_instances_3d = InstanceData(
        bboxes_3d=LiDARInstance3DBoxes(torch.tensor(frame.boxes)),
        scores_3d=torch.tensor(frame.scores),
        labels_3d=torch.tensor(frame.classes),
    )
    sample.pred_instances = InstanceData()
    return sample


def evaluate(
    metric: KittiMetric, samples: list[Det3DDataSample], classes: tuple[str, ...] = CLASSES
) -> dict[str, float]:
    """Through mmengine's own evaluator, two samples a batch."""
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = {'classes': classes}
    for start in range(0, len(samples), 2):
        evaluator.process(samples[start : start + 2])
    return evaluator.evaluate(len(samples))


def text_row(objects: KittiObjects, row: int) -> str:
    """A KITTI row that loses no digit."""
    numbers = [
        objects.truncation[row], int(objects.occlusion[row]), objects.alpha[row], *objects.boxes_2d[row],
        *objects.dimensions[row], *objects.location[row], objects.rotation_y[row],
        *([] if objects.scores is None else [objects.scores[row]]),
    ]  # fmt: skip
    return ' '.join([objects.names[row], *(repr(float(n)) if isinstance(n, float) else str(n) for n in numbers)]) + '\n'


def write_folder(folder: Path, frames: dict[str, KittiObjects]) -> Path:
    folder.mkdir()
    for name, objects in frames.items():
        (folder / f'{name}.txt').write_text(''.join(text_row(objects, row) for row in range(len(objects))))
    return folder


@pytest.fixture(scope='module')
def frames() -> list[Frame]:
    return [random_frame(seed) for seed in range(25)]


@pytest.fixture(scope='module')
def infos(frames: list[Frame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_infos(tmp_path_factory.mktemp('infos') / 'kitti_infos_val.pkl', frames)


@pytest.fixture
def samples(frames: list[Frame]) -> list[Det3DDataSample]:
    return [sample_of(position, frame) for position, frame in enumerate(frames)]


def test_numbers_equal_those_of_text_files(
    frames: list[Frame], infos: Path, samples: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: dict[str, KittiObjects] = {}
    monkeypatch.setattr(KittiMetric, '_write', lambda self, kind, detections: written.update(detections))
    numbers = evaluate(KittiMetric(str(infos)), samples)
    assert sorted(written) == [f'{position + 100:06d}' for position in range(25)]
    labels = write_folder(tmp_path / 'labels', dict(zip(sorted(written), [f.labels for f in frames], strict=True)))
    results = write_folder(tmp_path / 'results', written)
    start = 'Kitti metric/pred_instances_3d/KITTI/'
    titles = {'bbox': '2D', 'bev': 'BEV', '3d': '3D', 'aos': 'AOS'}
    for reading, overlaps in (('strict', None), ('loose', kitti_metric.LOOSE)):
        report = evaluate_folders(labels, results, min_overlaps=overlaps)
        for name in CLASSES:
            for metric, title in titles.items():
                for form in ('AP11', 'AP40'):
                    keys = [f'{start}{name}_{title}_{form}_{level}_{reading}' for level in ('easy', 'moderate', 'hard')]
                    assert [numbers[key] for key in keys] == report[name][metric][form]
    assert numbers[f'{start}Car_3D_AP40_moderate_loose'] > numbers[f'{start}Car_3D_AP40_moderate_strict'] > 5
    overall = np.mean([numbers[f'{start}{name}_BEV_AP11_hard_strict'] for name in CLASSES])
    assert numbers[f'{start}Overall_BEV_AP11_hard'] == pytest.approx(overall)


def test_perfect_predictions_of_many_cars(tmp_path: Path) -> None:
    labels = random_labels(np.random.default_rng(3), 60)
    labels.names[:-1] = ['Car'] * 60
    labels.occlusion[:-1], labels.truncation[:-1] = 0, 0
    boxes = camera_to_lidar_boxes(labels.location, labels.dimensions, labels.rotation_y, LIDAR_TO_CAMERA)[:-1]
    frame = Frame(labels, boxes.astype(np.float32), np.linspace(0.1, 1, 60, dtype=np.float32), np.full(60, 2))
    numbers = evaluate(KittiMetric(str(write_infos(tmp_path / 'infos.pkl', [frame]))), [sample_of(0, frame)])
    for title in ('2D', 'BEV', '3D', 'AOS'):
        assert numbers[f'Kitti metric/pred_instances_3d/KITTI/Car_{title}_AP11_moderate_strict'] > 90


def test_takes_the_place_of_the_stock_metric(infos: Path) -> None:
    assert METRICS.get('KittiMetric') is METRICS_3D.get('KittiMetric') is KittiMetric
    config = dict(type='KittiMetric', ann_file=str(infos), metric='bbox', backend_args=None)
    with DefaultScope.overwrite_default_scope('mmdet3d'):
        assert type(Evaluator([config]).metrics[0]) is KittiMetric


def test_names_of_the_stock_metric(infos: Path, samples: list) -> None:
    """Every name that mmdet3d's own metric gives is there."""
    numbers = evaluate(KittiMetric(str(infos)), samples)
    for level in ('easy', 'moderate', 'hard'):
        for title in ('3D', 'BEV', '2D'):
            for form in ('AP11', 'AP40'):
                stock = [f'{name}_{title}_{form}_{level}_{kind}' for name in CLASSES for kind in ('strict', 'loose')]
                for name in [*stock, f'Overall_{title}_{form}_{level}']:
                    assert isinstance(numbers[f'Kitti metric/pred_instances_3d/KITTI/{name}'], float)


def test_order_of_frames_and_several_processes_change_nothing(infos: Path, samples: list) -> None:
    """Processes join what `process` keeps, pickled."""
    alone = evaluate(KittiMetric(str(infos)), samples)
    halves = [KittiMetric(str(infos)) for _ in range(2)]
    for number, half in enumerate(halves):
        half.process(None, [sample.to_dict() for sample in samples[number::2]])
    halves[0].dataset_meta = {'classes': CLASSES}
    joined = pickle.loads(pickle.dumps(halves[0].results + halves[1].results))
    numbers = halves[0].compute_metrics(joined)
    assert {f'Kitti metric/{name}': value for name, value in numbers.items()} == pytest.approx(alone, abs=1e-9)


def test_frames_are_found_by_file_else_by_position(infos: Path, samples: list, frames: list[Frame]) -> None:
    """A data set that evaluates every other frame numbers them anew."""
    metric = KittiMetric(str(infos))
    half = evaluate(metric, samples[::2])
    renumbered = [sample_of(2 * number, frame, sample_idx=number) for number, frame in enumerate(frames[::2])]
    assert evaluate(KittiMetric(str(infos)), renumbered) == half
    unnamed = [sample_of(number, frame, lidar_path=None) for number, frame in enumerate(frames)]
    assert evaluate(KittiMetric(str(infos)), unnamed) == pytest.approx(evaluate(KittiMetric(str(infos)), samples))


def test_boxes_equal_the_stock_conversion(frames: list[Frame], infos: Path) -> None:
    """For boxes in front of the camera, up to float32."""
    stock = StockMetric.__new__(StockMetric)
    stock.default_cam_key, stock.pcd_limit_range = 'CAM2', [0, -40, -3, 70.4, 40, 0.0]
    ours = KittiMetric(str(infos))
    for position, frame in enumerate(frames):
        info = info_of(position, frame.labels)
        boxes = LiDARInstance3DBoxes(torch.tensor(frame.boxes))
        outputs = {
            'bboxes_3d': boxes, 'scores_3d': torch.tensor(frame.scores), 'labels_3d': torch.tensor(frame.classes)
        }  # fmt: skip
        ours.results.clear()
        ours.process(None, [sample_of(position, frame).to_dict()])
        objects, _ = ours._convert(ours.results[0]['pred_instances_3d'], info, list(CLASSES))
        expected = stock.convert_valid_bboxes(outputs, info)
        image = expected['bbox']
        image[:, 2:], image[:, :2] = np.minimum(image[:, 2:], SIZE), np.maximum(image[:, :2], 0)
        np.testing.assert_allclose(objects.boxes_2d, image, atol=2e-2)
        np.testing.assert_allclose(objects.location, expected['box3d_camera'][:, :3], atol=1e-4)
        np.testing.assert_allclose(objects.dimensions, expected['box3d_camera'][:, [4, 5, 3]], atol=1e-6)
        turn = objects.rotation_y - expected['box3d_camera'][:, 6]
        np.testing.assert_allclose(np.cos(turn), 1, atol=1e-6)
        assert objects.names == [CLASSES[int(label)] for label in expected['label_preds']]


def test_camera_boxes_give_the_same_numbers(infos: Path, frames: list[Frame]) -> None:
    """Limits of the LiDAR range do not hold for them; none of these lies outside."""
    samples = []
    for position, frame in enumerate(frames):
        sample = sample_of(position, frame)
        turned = sample.pred_instances_3d.bboxes_3d.convert_to(Box3DMode.CAM, LIDAR_TO_CAMERA.tolist())
        assert type(turned) is CameraInstance3DBoxes
        sample.pred_instances_3d.bboxes_3d = turned
        samples.append(sample)
    lidar = evaluate(KittiMetric(str(infos)), [sample_of(position, frame) for position, frame in enumerate(frames)])
    camera = evaluate(KittiMetric(str(infos)), samples)
    assert max(abs(lidar[name] - camera[name]) for name in lidar) < 5  # float32, and heights cut to whole pixels


def test_image_boxes_alone(infos: Path, frames: list[Frame]) -> None:
    samples = []
    for position, frame in enumerate(frames):
        sample = sample_of(position, frame)
        keep = [row for row, name in enumerate(frame.labels.names) if name in CLASSES]
        sample.pred_instances = InstanceData(
            bboxes=torch.tensor(frame.labels.boxes_2d[keep]),
            scores=torch.ones(len(keep)),
            labels=torch.tensor([CLASSES.index(frame.labels.names[row]) for row in keep], dtype=torch.long),
        )
        del sample.pred_instances_3d
        samples.append(sample)
    numbers = evaluate(KittiMetric(str(infos)), samples)
    assert {name.split('/')[1] for name in numbers} == {'pred_instances'}
    assert {name.split('_')[2] for name in numbers if 'Car' in name} == {'2D'}
    assert numbers['Kitti metric/pred_instances/KITTI/Car_2D_AP11_hard_strict'] > 60


@pytest.mark.parametrize('metric', ['img_bbox', ['img_bbox', 'bbox']])
def test_metrics_asked_for(metric: str | list[str], infos: Path, samples: list) -> None:
    numbers = evaluate(KittiMetric(str(infos), metric=metric, prefix='val'), samples)
    titles = {name.split('_')[3] for name in numbers if name.startswith('val/pred_instances_3d/KITTI/Car')}
    assert titles == ({'2D', 'AOS'} if metric == 'img_bbox' else {'2D', 'AOS', 'BEV', '3D'})


def test_network_of_one_class_and_other_overlaps(infos: Path, frames: list[Frame]) -> None:
    samples = [sample_of(position, frame) for position, frame in enumerate(frames)]
    for sample in samples:
        sample.pred_instances_3d = sample.pred_instances_3d[sample.pred_instances_3d.labels_3d == 2]
        sample.pred_instances_3d.labels_3d[:] = 0
    numbers = evaluate(KittiMetric(str(infos), min_overlaps={'Car': {'3d': 0.2}}), samples, ('Car',))
    start = 'Kitti metric/pred_instances_3d/KITTI/'
    assert not [name for name in numbers if 'Cyclist' in name]
    assert numbers[f'{start}Overall_3D_AP40_easy'] == numbers[f'{start}Car_3D_AP40_easy_strict']
    assert numbers[f'{start}Car_BEV_AP40_easy_loose'] == numbers[f'{start}Car_BEV_AP40_easy_strict']
    assert numbers[f'{start}Car_3D_AP40_easy_loose'] > numbers[f'{start}Car_3D_AP40_easy_strict']


def test_what_is_left_out_is_counted(infos: Path, frames: list[Frame], monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(kitti_metric, 'print_log', lambda text, logger: lines.append(text))
    boxes = np.tile(np.array([20, 0, -1.7, 4, 1.6, 1.5, 0], dtype=np.float32), (6, 1))
    boxes[1, 0] = 80  # beyond the limits
    boxes[2, :2] = (5, 30)  # beside the image
    boxes[3, 0] = np.nan
    scores = np.array([0.9, 0.9, 0.9, 0.9, np.inf, 0.9], dtype=np.float32)
    frame = Frame(frames[0].labels, boxes, scores, np.full(6, 2))
    evaluate(KittiMetric(str(infos)), [sample_of(0, frame)])
    counts = 'frames=1 detections=2 left out: not_finite=2 out_of_range=1 out_of_image=1'
    assert any(counts in line for line in lines)
    assert any('a match must overlap by more than Car 0.70' in line for line in lines)


def test_no_predictions_at_all(infos: Path, frames: list[Frame]) -> None:
    nothing = Frame(frames[0].labels, np.zeros((0, 7), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    numbers = evaluate(KittiMetric(str(infos)), [sample_of(0, nothing), sample_of(1, nothing)])
    assert set(numbers.values()) == {0.0}
    assert len(numbers) == 4 * 2 * 3 * (3 * 2 + 1)


def test_box_that_reaches_behind_the_camera_is_cut() -> None:
    """A long box beside the camera: its image reaches the border, and no corner behind the camera disturbs it."""
    location, dimensions = np.array([[3.0, 1.7, 2.0], [3.0, 1.7, -9.0]]), np.array([[1.5, 1.6, 10.0], [1.5, 1.6, 4.0]])
    boxes, seen = image_boxes(location, dimensions, np.full(2, np.pi / 2), CAMERA)
    assert seen.tolist() == [True, False]
    left = (720 * 2.2 + 610 * 7 + 45) / 7.003  # near the camera's axis: the far end, 7 m away
    assert boxes[0] == pytest.approx([left, boxes[0, 1], SIZE[0], SIZE[1]])


def test_files_are_written(infos: Path, samples: list, tmp_path: Path) -> None:
    metric = KittiMetric(str(infos), submission_prefix=str(tmp_path / 'sub'), pklfile_prefix=str(tmp_path / 'pkl'))
    evaluate(metric, samples)
    assert len(list((tmp_path / 'sub' / 'pred_instances_3d').glob('0001*.txt'))) == 25
    annotations = pickle.loads((tmp_path / 'pkl' / 'pred_instances_3d.pkl').read_bytes())
    assert annotations[3]['sample_idx'].tolist() == [103] * len(annotations[3]['name'])
    assert annotations[3]['dimensions'].shape == annotations[3]['location'].shape


def test_format_only(infos: Path, samples: list, tmp_path: Path) -> None:
    assert evaluate(KittiMetric(str(infos), format_only=True, submission_prefix=str(tmp_path)), samples) == {}
    assert len(list((tmp_path / 'pred_instances_3d').iterdir())) == 25


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'anfile': 'x'}, "no argument 'anfile', did you mean 'ann_file'"),
        ({'metric': 'LET_mAP'}, "metric 'LET_mAP' is not one of KITTI"),
        ({'format_only': True}, 'format_only needs submission_prefix'),
        ({'pcd_limit_range': [0, 1]}, 'pcd_limit_range must be 6 numbers, got 2'),
        ({'min_overlaps': {'Cat': 0.5}}, "no class 'Cat'"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        KittiMetric('infos.pkl', **arguments)


def test_wrong_info_files(samples: list, tmp_path: Path, frames: list[Frame]) -> None:
    path = tmp_path / 'infos.pkl'
    with pytest.raises(DataError, match=r'infos\.pkl can not be read'):
        evaluate(KittiMetric(str(path)), samples)
    path.write_bytes(b'\x80\x04not a pickle')
    with pytest.raises(DataError, match=r'infos\.pkl can not be read'):
        evaluate(KittiMetric(str(path)), samples)
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(DataError, match='is not an info file'):
        evaluate(KittiMetric(str(path)), samples)
    write_infos(path, frames[:3])
    with pytest.raises(DataError, match='frame 000103 is not in the info file'):
        evaluate(KittiMetric(str(path)), samples)
    content = pickle.loads(path.read_bytes())
    del content['data_list'][1]['instances']
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match='frame 101: no instances in the info file'):
        evaluate(KittiMetric(str(path)), samples[:3])
    with pytest.raises(DataError, match=r"frame 100: images\['CAM7'\] has no 'CAM7'"):
        evaluate(KittiMetric(str(path), default_cam_key='CAM7'), samples[:1])
    del content['data_list'][0]['instances'][0]['alpha']
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match="frame 100: an instance of the info file has no 'alpha'"):
        evaluate(KittiMetric(str(path)), samples[:1])


def test_wrong_predictions(infos: Path, samples: list) -> None:
    with pytest.raises(DataError, match='frame 000100 was predicted more than once'):
        evaluate(KittiMetric(str(infos)), [samples[0], samples[0]])
    with pytest.raises(ConfigError, match='none of the classes'):
        evaluate(KittiMetric(str(infos)), samples[:1], ('Excavator',))
    del samples[0].pred_instances_3d
    with pytest.raises(DataError, match='neither pred_instances_3d nor pred_instances'):
        evaluate(KittiMetric(str(infos)), samples[:1])


def test_labels_of_prepared_info_files(frames: list[Frame]) -> None:
    """What `create-data` writes comes back as it stood in the label file, DontCare areas too."""
    labels = frames[0].labels
    calibration = Calibration(PROJECTION[:3], np.eye(3), LIDAR_TO_CAMERA[:3])
    info = frame_info('000100', {'P2': PROJECTION[:3]}, calibration, SIZE, objects=labels)
    back = labels_of(info, dict(enumerate(NAMES)))
    assert back.names == labels.names
    for name in ('truncation', 'occlusion', 'alpha', 'boxes_2d', 'dimensions', 'location', 'rotation_y'):
        np.testing.assert_array_equal(getattr(back, name), getattr(labels, name))
    assert camera_of(info, 'CAM2').size == SIZE


def test_engine_registers_it() -> None:
    assert pointkd.engine.kitti_metric is kitti_metric
