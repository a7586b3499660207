"""A file in the layout of the public YOLOv8 files, written with classes that stand in for the other project's."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

# Ours -> public, the other way round from pointkd.models.yolov8.weights and written down on its own.
PUBLIC = {
    'backbone.stem.': '0.',
    'backbone.stage1.0.': '1.',
    'backbone.stage1.1.': '2.',
    'backbone.stage2.0.': '3.',
    'backbone.stage2.1.': '4.',
    'backbone.stage3.0.': '5.',
    'backbone.stage3.1.': '6.',
    'backbone.stage4.0.': '7.',
    'backbone.stage4.1.': '8.',
    'backbone.stage4.2.': '9.',
    'neck.top_down.0.': '12.',
    'neck.top_down.1.': '15.',
    'neck.downsample.0.': '16.',
    'neck.bottom_up.0.': '18.',
    'neck.downsample.1.': '19.',
    'neck.bottom_up.1.': '21.',
    'bbox_head.box_branches.': '22.cv2.',
    'bbox_head.class_branches.': '22.cv3.',
}
LAYERS = {0: 'Conv', 1: 'Conv', 3: 'Conv', 5: 'Conv', 7: 'Conv', 9: 'SPPF', 16: 'Conv', 19: 'Conv', 22: 'Detect'}
LAYERS |= {10: 'Upsample', 13: 'Upsample', 11: 'Concat', 14: 'Concat', 17: 'Concat', 20: 'Concat'}


def public_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of our net as `model.2.m.0.cv1.conv.weight` and so on."""
    named = {}
    for name, tensor in weights.items():
        if name == 'bbox_head.bins':
            named['model.22.dfl.conv.weight'] = tensor.view(1, -1, 1, 1)
            continue
        ours = next(prefix for prefix in PUBLIC if name.startswith(prefix))
        named['model.' + PUBLIC[ours] + name.removeprefix(ours).replace('blocks.', 'm.')] = tensor
    return named


@contextmanager
def other_project() -> Any:
    """Let classes of the other project's names exist while a file is written."""
    modules = {
        'ultralytics.nn.tasks': ['DetectionModel'],
        'ultralytics.nn.modules.conv': ['Conv', 'Concat'],
        'ultralytics.nn.modules.block': ['C2f', 'SPPF', 'DFL', 'Bottleneck'],
        'ultralytics.nn.modules.head': ['Detect'],
        'ultralytics.utils': ['IterableSimpleNamespace'],
    }
    classes: dict[str, Any] = {}
    for path, names in modules.items():
        parts = path.split('.')
        for depth in range(1, len(parts) + 1):
            folder = '.'.join(parts[:depth])
            sys.modules.setdefault(folder, ModuleType(folder))
        for name in names:
            base = SimpleNamespace if name.startswith('Iterable') else nn.Module
            classes[name] = type(name, (base,), {'__module__': path})
            setattr(sys.modules[path], name, classes[name])
    try:
        yield classes
    finally:
        for name in [name for name in sys.modules if name.split('.')[0] == 'ultralytics']:
            del sys.modules[name]


def build_tree(weights: Mapping[str, Tensor], classes: Mapping[str, Any]) -> nn.Module:
    """Return a module object whose state dict is the given one (public names)."""
    root = classes['DetectionModel']()
    root.model = nn.Sequential(*(_layer(number, classes) for number in range(23)))
    for name, tensor in weights.items():
        *path, last = name.split('.')
        module = root
        for part in path:
            if part not in module._modules:
                module.add_module(part, _part(part, classes))
            module = module._modules[part]
        if last in ('running_mean', 'running_var', 'num_batches_tracked'):
            module.register_buffer(last, tensor)
        else:
            module.register_parameter(last, nn.Parameter(tensor, requires_grad=False))
    return root


def write_public_file(path: Path, weights: Mapping[str, Tensor], names: list[str], **more: Any) -> None:
    """Write weights under public names as the other project does: a module object in half precision, and notes."""
    with other_project() as classes:
        model = build_tree({name: tensor.clone() for name, tensor in weights.items()}, classes).half()
        model.names = dict(enumerate(names))
        model.args = classes['IterableSimpleNamespace'](imgsz=640, device=torch.device('cpu'), save_dir=Path('runs'))
        model.stride = torch.tensor([8.0, 16.0, 32.0])
        torch.save({'epoch': -1, 'model': model, 'ema': None, 'train_args': {'lr0': 0.01}, **more}, path)


def _layer(number: int, classes: Mapping[str, Any]) -> nn.Module:
    """Return an empty layer of the kind that has this number."""
    kind = LAYERS.get(number, 'C2f')
    return nn.Upsample(scale_factor=2.0) if kind == 'Upsample' else classes[kind]()


def _part(name: str, classes: Mapping[str, Any]) -> nn.Module:
    """Return an empty module of the kind that has this attribute name."""
    if name == 'bn':
        norm = nn.BatchNorm2d(1)
        norm._buffers.clear()
        norm._parameters.clear()
        return norm
    kinds = {'conv': 'Conv', 'dfl': 'DFL', 'm': '', 'cv1': 'Conv', 'cv2': 'Conv', 'cv3': 'Conv'}
    kind = kinds.get(name, 'Bottleneck')
    return classes[kind]() if kind else nn.ModuleList()
