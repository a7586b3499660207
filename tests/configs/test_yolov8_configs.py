"""The configs of the YOLOv8-like detector: published sizes and training, and a run of a few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from helpers.configs import CONFIGS, config
from helpers.yolov8 import SMALL
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS, DefaultScope

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from pointkd.core.visdrone import CLASSES
from pointkd.datasets.visdrone.prepare import prepare
from pointkd.distill.distiller import Distiller
from pointkd.engine.complexity import counting, resized_to
from pointkd.engine.train import train
from pointkd.io.build import build_model
from pointkd.io.checkpoints import load_weights, read_checkpoint, save_checkpoint
from pointkd.io.config import load_config
from pointkd.io.dummy import dummy_batch
from pointkd.io.tree import dicts

PARAMETERS = {  # the published counts, with 80 classes; own counts with VisDrone's 10
    'n': (3_157_200, 3_012_798),
    's': (11_166_560, 11_139_470),
    'm': (25_902_640, 25_862_110),
    'l': (43_691_520, 43_637_550),
    'x': (68_229_648, 68_162_238),
}
GFLOPS = {'n': 8.7, 's': 28.6, 'm': 78.9, 'l': 165.2, 'x': 257.8}  # published, two a multiply-add, at 640 x 640


def on_meta(name: str) -> torch.nn.Module:
    """A net of a config without memory for its weights."""
    with torch.device('meta'):
        return build_model(config(name), device='meta')


@pytest.mark.parametrize('size', GFLOPS)
def test_has_the_published_size_and_work(size: str) -> None:
    for data, count in zip(('coco', 'visdrone'), PARAMETERS[size], strict=True):
        model = on_meta(f'yolov8/yolov8_{size}_{data}.py')
        assert sum(parameter.numel() for parameter in model.parameters()) == count
        if data == 'coco':
            with torch.no_grad(), counting(model) as counts:
                model(torch.empty(1, 3, 640, 640, device='meta'), mode='tensor')
            assert 2 * sum(counts.values()) / 1e9 == pytest.approx(GFLOPS[size], rel=0.01)


@pytest.mark.parametrize('size', GFLOPS)
@pytest.mark.parametrize('data', ['coco', 'visdrone'])
def test_trains_as_published(size: str, data: str) -> None:
    cfg = config(f'yolov8/yolov8_{size}_{data}.py')
    assert cfg.default_scope == 'mmdet'
    assert resized_to(cfg) == (640, 640)
    optimiser, (rate, momentum) = cfg.optim_wrapper.optimizer, cfg.param_scheduler
    assert (optimiser.lr, optimiser.momentum, optimiser.weight_decay) == (0.01, 0.937, 5e-4)
    assert cfg.optim_wrapper.accumulative_counts * cfg.train_dataloader.batch_size == cfg.model.bbox_head.nominal_batch
    assert (rate.warm_up, rate.bias_start, rate.final, rate.end) == (3, 0.1, 0.01, cfg.train_cfg.max_epochs)
    assert momentum.start_factor * optimiser.momentum == pytest.approx(0.8)
    pipeline = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert pipeline['CentredAffine'].scale == (0.5 if size in 'ns' else 0.9)
    assert pipeline['MosaicMixUp'].prob == {'n': 0, 's': 0, 'm': 0.1, 'l': 0.15, 'x': 0.15}[size]
    switch = cfg.custom_hooks[1]
    assert switch.num_last_epochs == 10
    assert set(switch.skip_type_keys) <= set(pipeline)


def test_visdrone_has_its_classes() -> None:
    cfg = config('yolov8/yolov8_n_visdrone.py')
    assert cfg.model.bbox_head.num_classes == len(CLASSES)
    for loader in (cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset):
        assert tuple(loader.metainfo.classes) == tuple(CLASSES)


def write_coco(root: Path, part: str, images: int = 4) -> None:
    """Write images with a bright box each, in COCO's layout of 2017."""
    random = np.random.default_rng(0)
    folder = root / f'{part}2017'
    folder.mkdir(parents=True)
    entries, annotations = [], []
    for number in range(images):
        image = random.integers(0, 90, (48, 80, 3), dtype=np.uint8)
        x, y = int(random.integers(0, 40)), int(random.integers(0, 16))
        image[y : y + 28, x : x + 36] = 240
        cv2.imwrite(str(folder / f'{number}.png'), image)
        entries.append({'id': number, 'file_name': f'{number}.png', 'width': 80, 'height': 48})
        box = {'bbox': [x, y, 36, 28], 'area': 36 * 28, 'iscrowd': 0}
        annotations.append({'id': number + 1, 'image_id': number, 'category_id': 3, **box})
    classes = [{'id': number, 'name': name} for number, name in ((1, 'person'), (3, 'car'))]
    content = {'images': entries, 'annotations': annotations, 'categories': classes}
    (root / 'annotations').mkdir(exist_ok=True)
    (root / 'annotations' / f'instances_{part}2017.json').write_text(json.dumps(content))


def shrunk(root: Path) -> Config:
    """The config of the net m for pictures of 64 x 64 and two classes, three epochs of two steps."""
    options = ['model.bbox_head.num_classes=2', 'train_dataloader.batch_size=2', 'optim_wrapper.accumulative_counts=1']
    options += [f'{loader}_dataloader.num_workers=0' for loader in ('train', 'val', 'test')]
    options += ['train_cfg.max_epochs=3', 'train_cfg.val_interval=3', 'param_scheduler.0.end=3']
    options += ['custom_hooks.1.num_last_epochs=1', 'param_scheduler.0.warm_up=1', 'param_scheduler.1.end=1']
    cfg = load_config(CONFIGS / 'yolov8' / 'yolov8_m_coco.py', data_root=str(root), options=options)
    cfg.model.scale = SMALL
    metainfo: dict[str, Any] = dict(classes=('person', 'car'))
    for loader in (cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset, cfg.test_dataloader.dataset):
        loader.metainfo = metainfo
    for _, block in dicts(cfg._cfg_dict):
        for key in ('img_scale', 'size', 'scale'):
            if block.get(key) == (640, 640):
                block[key] = (64, 64)
    return cfg


@HOOKS.register_module()
class StopsHook(Hook):
    """Ends a run as Ctrl-C would, after a number of iterations."""

    priority = 'LOWEST'  # after the checkpoint

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations

    def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        if runner.iter + 1 == self.iterations:
            raise KeyboardInterrupt


def test_the_generated_images_take_the_smallest_net() -> None:
    model = on_meta('yolov8/yolov8_n_synthetic-aerial.py')
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS['n'][1]


def test_a_distilled_step(tmp_path: Path) -> None:
    small = [f'model.scale={SMALL}']
    teacher = build_model(load_config(CONFIGS / 'yolov8/yolov8_m_visdrone.py', pretrained=False, options=small))
    save_checkpoint(tmp_path / 'teacher.pth', {'state_dict': teacher.state_dict()})
    block = [f'distill.teacher.checkpoint={tmp_path / "teacher.pth"}', f'+distill.teacher.options={small}']
    path = CONFIGS / 'yolov8/yolov8_n_channel-wise_visdrone.py'
    cfg = load_config(path, pretrained=False, options=[*small, *block])
    distiller = Distiller(cfg.model, cfg.distill, cfg)
    distiller.init_weights()
    distiller.train().set_progress(500, 1000)
    losses = distiller(**distiller.data_preprocessor(dummy_batch(cfg, batch_size=2), True), mode='loss')
    total, log = distiller.parse_losses(losses)
    total.backward()
    terms = [log[f'loss_{name}'] for name in ('channel_wise', 'logits', 'ld')]
    assert all(torch.isfinite(term) for term in terms)
    assert terms[0] > 0
    assert terms[2] == 0  # this teacher sees no object anywhere


@pytest.mark.long
def test_a_run_of_a_few_steps_and_one_that_is_stopped_in_between(tmp_path: Path) -> None:
    for part in ('train', 'val'):
        write_coco(tmp_path / 'coco', part)
    cfg = shrunk(tmp_path / 'coco')
    runner = train(cfg, tmp_path / 'work')
    assert runner.iter == 6
    dataset = runner.train_dataloader.dataset
    assert dataset._skip_type_keys == ('MosaicCanvas', 'MosaicMixUp')  # switched off for the last epoch
    scalars = runner.message_hub.log_scalars
    assert scalars['train/loss'].data[0].size == 6
    assert np.isfinite(scalars['train/loss'].data[0]).all()
    assert 'val/coco/bbox_mAP' in scalars
    content = read_checkpoint(tmp_path / 'work' / 'last.pth')
    assert 'ema_state_dict' in content
    plain = build_model(cfg)
    load_weights(plain, content)
    assert plain.bbox_head.bins.tolist() == list(range(16))
    stopped = shrunk(tmp_path / 'coco')
    stopped.reliability = dict(save_iterations=1)
    stopped.custom_hooks.append(dict(type='StopsHook', iterations=3))
    with pytest.raises(KeyboardInterrupt):
        train(stopped, tmp_path / 'stopped')
    train(cfg, tmp_path / 'stopped', resume=True)
    resumed = read_checkpoint(tmp_path / 'stopped' / 'last.pth')
    for kind in ('state_dict', 'ema_state_dict'):
        assert all(torch.equal(tensor, resumed[kind][name]) for name, tensor in content[kind].items())


@pytest.mark.long
@pytest.mark.data
def test_real_frames_go_through_the_training_pipeline(shared: Path, tmp_path: Path) -> None:
    root = shared / 'data' / 'aerial' / 'visdrone'
    if not root.is_dir():
        pytest.skip(f'{root} is absent')
    prepare(root, tmp_path, repair=True)
    options = ['train_dataloader.dataset.dataset.ann_file=visdrone_all.json']
    cfg = load_config(CONFIGS / 'yolov8/yolov8_m_visdrone.py', data_root=str(tmp_path), options=options)
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(dataset) == 89
    np.random.seed(0)
    drawn = [dataset[number] for number in range(4)]
    for entry in drawn:
        objects = entry['data_samples'].gt_instances
        assert entry['inputs'].shape == (3, 640, 640)
        boxes = objects.bboxes.tensor
        assert len(boxes) == len(objects.labels)
        assert ((boxes >= 0) & (boxes <= 640)).all()
        assert (boxes[:, 2:] - boxes[:, :2] > 2).all()
        assert ((objects.labels >= 0) & (objects.labels < 10)).all()
    assert sum(len(entry['data_samples'].gt_instances) for entry in drawn) > 20
