"""`pointkd import yolov8 FILE.pt`: weights of a public YOLOv8 detector."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pointkd.core.errors import CheckpointError, ConfigError

HELP = 'a public YOLOv8 detection file (.pt)'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('file', metavar='FILE.pt', help='file of the other project')
    parser.add_argument('--out', metavar='FILE.pth', help='checkpoint to write; default beside it, ending in .pth')
    parser.add_argument('--config', help='config that the weights must fit; default: the net that their shapes tell')


def run(args: argparse.Namespace) -> None:
    """Read, rename, check against the net, write."""
    import pointkd.models.yolov8  # noqa: F401  (registers the net)
    from pointkd.core.files import sha256
    from pointkd.io.build import build_model
    from pointkd.io.checkpoints import load_weights, save_checkpoint
    from pointkd.io.config import load_config
    from pointkd.io.foreign import read_foreign
    from pointkd.models.yolov8.weights import convert, describe

    out = Path(args.out) if args.out else Path(args.file).with_suffix('.pth')
    if out.exists() and out.samefile(args.file):
        raise ConfigError(f'{out}: is the file to read; give another name with --out')
    content = read_foreign(args.file)
    try:
        weights, names = extract(content)
        weights = convert(weights)
        net = describe(weights)
    except CheckpointError as error:
        raise CheckpointError(f'{args.file}: {error}') from error
    config = load_config(args.config, pretrained=False) if args.config else plain_config(*net)
    load_weights(build_model(config), weights, name=args.file)
    meta: dict[str, Any] = {'source': Path(args.file).name, 'sha256': sha256(args.file)}
    if len(names) == net.classes:
        meta['dataset_meta'] = {'classes': names}
    save_checkpoint(out, {'meta': meta, 'state_dict': weights})
    count = sum(tensor.numel() for name, tensor in weights.items() if not name.endswith(NOT_COUNTED))
    print(f'{out}: YOLOv8{net.scale}, {net.classes} classes, {count:,} parameters')


NOT_COUNTED = ('running_mean', 'running_var', 'num_batches_tracked')


def extract(content: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the state dict in a file's content, and the class names by label (none where it has none).

    The averaged weights (`ema`) come first: they are those that the other project evaluates.
    """
    from pointkd.io.foreign import Record, module_tensors

    if not isinstance(content, dict):
        raise CheckpointError(f'holds a {type(content).__name__}, expected a dict with a model')
    network = content.get('ema') or content.get('model') or content.get('state_dict') or content
    weights = dict(module_tensors(network))
    names = network.state.get('names') if isinstance(network, Record) else None
    by_label = names if isinstance(names, dict) else dict(enumerate(names or []))
    return weights, [str(by_label[label]) for label in sorted(by_label)]


def plain_config(scale: str, classes: int) -> dict[str, Any]:
    """Return the smallest config of a net."""
    model = dict(
        type='YOLOv8',
        scale=scale,
        backbone=dict(type='YOLOv8Backbone'),
        neck=dict(type='YOLOv8Neck'),
        bbox_head=dict(type='YOLOv8Head', num_classes=classes),
    )
    return dict(model=model, default_scope='mmdet')
