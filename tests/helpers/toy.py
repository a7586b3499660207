"""A training run of seconds: a small convolutional net on made-up images, in plain mmengine parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from torch import nn

CONFIG = """
custom_imports = dict(imports=['helpers.toy'])
default_scope = 'mmengine'
model = dict(type='ToyNet')
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='ToyData', size=11))
val_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ToyData', size=4, augment=False))
test_dataloader = val_dataloader
val_evaluator = dict(type='ToyMetric')
test_evaluator = val_evaluator
train_cfg = dict(by_epoch=True, max_epochs=4, val_interval=2)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.01, weight_decay=0.01),
    clip_grad=dict(max_norm=1.0),
    accumulative_counts=2)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=4, eta_min=1e-4, end=4, convert_to_iter_based=True),
    dict(type='CosineAnnealingMomentum', T_max=4, eta_min=0.85, end=4, convert_to_iter_based=True)]
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=2),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2, save_best='error', rule='less'))
custom_hooks = [dict(type='EMAHook', momentum=0.1, update_buffers=True)]
reliability = dict(save_iterations=2)
"""


@MODELS.register_module()
class ToyNet(BaseModel):
    """A net with batch norm and dropout that finds the mean of its image; `delay` seconds make a step long enough."""

    def __init__(
        self, norm: bool = True, sync: bool = False, delay: float = 0.0, data_preprocessor: Any = None
    ) -> None:
        super().__init__(data_preprocessor or BaseDataPreprocessor())
        kind = nn.SyncBatchNorm if sync else nn.BatchNorm2d
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3),
            kind(4) if norm else nn.Identity(),
            nn.ReLU(),
            nn.Dropout(0.2 if norm else 0.0),
        )
        self.head = ToyHead()
        self.delay = delay

    def forward(self, inputs: list, data_samples: list | None = None, mode: str = 'tensor') -> Any:
        if self.delay:
            import time

            time.sleep(self.delay)
        features = self.body(torch.stack(inputs))
        if mode == 'loss':
            return self.head.loss(features, torch.stack(data_samples))
        values = self.head(features)
        return [{'value': float(value)} for value in values] if mode == 'predict' else values


class ToyHead(nn.Module):
    """A head built as OpenMMLab's are: `loss` runs it and hands the outputs to `loss_by_feat`."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Conv2d(4, 1, 1)
        self.seen: list[torch.dtype] = []

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.linear(features).mean(dim=(1, 2, 3))

    def loss(self, features: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.loss_by_feat(self(features), targets)

    def loss_by_feat(self, values: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        self.seen.append(values.dtype)
        return {'loss_value': ((values - targets) ** 2).mean()}


@DATASETS.register_module()
class ToyData:
    """Images whose content is fixed by their index and whose augmentation is drawn from all three random sources."""

    def __init__(
        self,
        size: int,
        augment: bool = True,
        broken: tuple[int, ...] = (),
        infinite: tuple[int, ...] = (),
        file: str | None = None,
    ) -> None:
        if file is not None:
            Path(file).read_bytes()
        self.size, self.augment, self.broken, self.infinite = size, augment, tuple(broken), tuple(infinite)
        self.metainfo = {'classes': ('toy',)}

    def __len__(self) -> int:
        return self.size

    def get_data_info(self, index: int) -> dict[str, Any]:
        return {'img_path': f'frame_{index}.png', 'sample_idx': index}

    def __getitem__(self, index: int) -> dict[str, Any]:
        import random

        if index in self.broken:
            raise ValueError('cannot reshape array of size 7 into shape (4)')
        image = np.random.default_rng(index).normal(size=(3, 8, 8)).astype(np.float32)
        target = float(image.mean()) * (np.inf if index in self.infinite else 1)
        if self.augment:
            image = image * random.uniform(0.9, 1.1) + np.random.normal() * 0.1 + torch.randn(3, 8, 8).numpy() * 0.1
        return {'inputs': torch.from_numpy(image.astype(np.float32)), 'data_samples': torch.tensor(target)}


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """Mean of the predicted values; draws random numbers on the way, which must not change training."""

    def process(self, data_batch: Any, data_samples: Any) -> None:
        np.random.rand(3), torch.rand(3)
        self.results += [sample['value'] for sample in data_samples]

    def compute_metrics(self, results: list) -> dict[str, float]:
        return {'error': abs(float(np.mean(results))), 'count': len(results)}


def write_config(folder: Path, extra: str = '') -> Path:
    """Write the toy config with more lines at its end, and return its path."""
    file = folder / 'toy.py'
    file.write_text(CONFIG + extra)
    return file
