"""Time a training step and inference of our YOLOv8-like detector against the `ultralytics` package, in turns.

    python -m venv PEER && PEER/bin/pip install torch==2.14.1 torchvision==0.29.1 ultralytics==8.4.190 \
        'numpy<2' 'setuptools<81' mmengine==0.10.7 mmcv-lite==2.1.0 mmdet==3.3.0        # about 3 GB
    python tools/benchmarks/yolov8_step.py --python PEER/bin/python --scale n --batch 4 --out step.json

Both sides run in processes of the same environment, on the same made-up images and boxes, with the same number of
threads; in each round every side does one training step (forward, loss, backward) and one inference (decoded boxes of
a net with folded norms, no suppression). `--only pointkd` times our side alone, in the environment at hand. The other
package is used as a black box through its documented interface: `YOLO(NAME.yaml).model`, `model(batch)` for the loss,
`fuse()`. Where its loss can't be called in that way, the backward pass starts at the raw outputs on both sides, and the
result says `"step": "raw outputs"`. Run this with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
SIDES = ('pointkd', 'ultralytics')
LOSS, RAW, INFERENCE = 'loss', 'raw outputs', 'inference'
CLASSES, OBJECTS = 80, 8  # objects an image


def made_up_batch(batch: int, size: int) -> tuple[Any, Any, Any]:
    """Return images (N, 3, S, S) from 0 to 1, boxes (N, 8, 4) x1 y1 x2 y2 in pixels, labels (N, 8); always the same."""
    import numpy as np
    import torch

    random = np.random.default_rng(0)
    images = random.random((batch, 3, size, size), dtype=np.float32)
    centre = random.uniform(0.2, 0.8, (batch, OBJECTS, 2))
    extent = random.uniform(0.03, 0.4, (batch, OBJECTS, 2))
    boxes = size * np.concatenate([centre - extent / 2, centre + extent / 2], axis=2).clip(0, 1)
    labels = random.integers(0, CLASSES, (batch, OBJECTS))
    return torch.from_numpy(images), torch.from_numpy(boxes.astype(np.float32)), torch.from_numpy(labels)


def pointkd_side(args: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    """Return what our side can do, by name."""
    sys.path.insert(0, str(REPOSITORY))
    import torch

    importlib.import_module('pointkd.models.yolov8')  # before mmdet: it puts the stand-in for mmcv's kernels in place
    from mmdet.registry import MODELS
    from mmdet.structures import DetDataSample
    from mmengine.registry import DefaultScope
    from mmengine.structures import InstanceData

    from pointkd.models.yolov8.fuse import fused

    block = dict(
        type='YOLOv8', scale=args.scale, channels_last=True, data_preprocessor=dict(type='DetDataPreprocessor')
    )
    block |= dict(backbone=dict(type='YOLOv8Backbone'), neck=dict(type='YOLOv8Neck'))
    block |= dict(bbox_head=dict(type='YOLOv8Head', num_classes=CLASSES))
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(block)
    images, boxes, labels = made_up_batch(args.batch, args.size)
    samples = []
    for box, label in zip(boxes, labels, strict=True):
        sample = DetDataSample()
        sample.gt_instances = InstanceData(bboxes=box, labels=label)
        samples.append(sample)
    quick = fused(model)

    def infer() -> Any:
        with torch.inference_mode():
            return quick.bbox_head.decoded(quick.extract_feat(images))

    model.train()
    return {
        LOSS: lambda: step(model, lambda: sum(model(images, samples, mode='loss').values())),
        RAW: lambda: step(model, lambda: square_sum(model(images, mode='tensor'))),
        INFERENCE: infer,
    }


def ultralytics_side(args: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    """Return what the other package can do, by name, through its documented interface."""
    import copy

    import torch
    from ultralytics import YOLO
    from ultralytics.cfg import get_cfg

    model = YOLO(f'yolov8{args.scale}.yaml').model
    model.args = get_cfg()  # the gains of its loss
    images, boxes, labels = made_up_batch(args.batch, args.size)
    sides = boxes / args.size
    centres = torch.cat([(sides[..., :2] + sides[..., 2:]) / 2, sides[..., 2:] - sides[..., :2]], dim=2)
    batch = {
        'img': images,
        'cls': labels.reshape(-1, 1).float(),
        'bboxes': centres.reshape(-1, 4),
        'batch_idx': torch.arange(args.batch).repeat_interleave(OBJECTS).float(),
    }
    quick = copy.deepcopy(model).eval()
    quick = quick.fuse(verbose=False) if hasattr(quick, 'fuse') else quick
    model.train()

    def infer() -> Any:
        with torch.inference_mode():
            return quick(images)

    def loss() -> Any:
        value = model(batch)
        return (value[0] if isinstance(value, tuple | list) else value).sum()

    return {
        LOSS: lambda: step(model, loss),
        RAW: lambda: step(model, lambda: square_sum(model(images))),
        INFERENCE: infer,
    }


def step(model: Any, loss: Callable[[], Any]) -> float:
    """Run forward, loss and backward; return the loss."""
    model.zero_grad(set_to_none=True)
    value = loss()
    value.backward()
    return float(value.detach())


def square_sum(outputs: Any) -> Any:
    """Return the sum of squares of every tensor in nested outputs."""
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    if isinstance(outputs, list | tuple):
        return sum(square_sum(entry) for entry in outputs)
    return outputs.square().mean()


def serve(args: argparse.Namespace) -> None:
    """Do one task for each line of standard input and answer with its seconds; the body of a side's process."""
    channel = os.fdopen(os.dup(1), 'w')  # what the packages print goes elsewhere
    os.dup2(2, 1)
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    tasks = {'pointkd': pointkd_side, 'ultralytics': ultralytics_side}[args.serve](args)
    for line in sys.stdin:
        start = time.perf_counter()
        try:
            tasks[line.strip()]()
            answer: dict[str, Any] = {'seconds': time.perf_counter() - start}
        except Exception as error:  # the other package's interface may have moved on: say what it said
            answer = {'error': f'{type(error).__name__}: {error}'}
        channel.write(json.dumps(answer) + '\n')
        channel.flush()


class Side:
    """A side's process."""

    def __init__(self, name: str, python: str, options: list[str]) -> None:
        command = [python, str(Path(__file__).resolve()), '--serve', name, *options]
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, task: str) -> dict[str, Any]:
        """Do a task and return its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(task + '\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f'{self.name}: its process ended with code {self.process.wait()}; its message is above')
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def measure(sides: list[Side], rounds: int) -> dict[str, Any]:
    """Run the sides in turns; return what was compared and seconds by task and side, the first round left out."""
    answers = {side.name: side.run(LOSS) for side in sides}
    refused = {name: answer['error'] for name, answer in answers.items() if 'error' in answer}
    if 'pointkd' in refused:
        raise SystemExit(f'pointkd: {refused["pointkd"]}')
    kind = RAW if refused else LOSS
    times: dict[str, dict[str, list[float]]] = {task: {side.name: [] for side in sides} for task in (kind, INFERENCE)}
    for number in range(rounds + 1):
        for task, entries in times.items():
            for side in sides if number % 2 else reversed(sides):
                answer = side.run(task)
                if 'error' in answer:
                    raise SystemExit(f'{side.name}: {task}: {answer["error"]}')
                if number:
                    entries[side.name].append(answer['seconds'])
    return {'step': kind, 'refused': refused, 'seconds': {'training step': times[kind], INFERENCE: times[INFERENCE]}}


def ratios(seconds: dict[str, dict[str, list[float]]]) -> dict[str, list[float]]:
    """Return the quartiles of our time over the other's, round by round, for each task both have done."""
    found = {}
    for task, entries in seconds.items():
        if len(entries) == len(SIDES):
            pairs = zip(entries['pointkd'], entries['ultralytics'], strict=True)
            found[task] = statistics.quantiles([ours / theirs for ours, theirs in pairs], n=4)
    return found


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--python', default=sys.executable, help='Python of the environment that has both packages')
    parser.add_argument('--only', choices=SIDES, help='time one side alone')
    parser.add_argument('--scale', choices=list('nsmlx'), default='n')
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--size', type=int, default=640, help='height and width of the images')
    parser.add_argument('--rounds', type=int, default=10)
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--out', help='write every time to this JSON file')
    parser.add_argument('--serve', choices=SIDES, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure, print medians and ratios, write JSON."""
    args = arguments()
    if args.serve:
        serve(args)
        return
    options = [f'--{name}={getattr(args, name)}' for name in ('scale', 'batch', 'size', 'threads')]
    sides = [Side(name, args.python, options) for name in ([args.only] if args.only else SIDES)]
    result = measure(sides, args.rounds)
    for side in sides:
        side.close()
    result['ratios'] = ratios(result['seconds'])
    for name, error in result['refused'].items():
        print(f'{name}: its loss can not be called ({error}): the step goes from the raw outputs back')
    for task, entries in result['seconds'].items():
        medians = ', '.join(f'{name} {statistics.median(times):.3f} s' for name, times in entries.items())
        quartiles = result['ratios'].get(task)
        ratio = (
            f'; pointkd over ultralytics {quartiles[1]:.2f} ({quartiles[0]:.2f} to {quartiles[2]:.2f})'
            if quartiles
            else ''
        )
        print(f'{task:<14} {medians}{ratio}')
    if args.out:
        sys.path.insert(0, str(REPOSITORY))
        from pointkd.core.files import write_json

        command = ['git', 'rev-parse', 'HEAD']
        commit = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.strip()
        machine = {'date': date.today().isoformat(), 'cores': os.cpu_count(), 'commit': commit}
        run = {name: getattr(args, name) for name in ('scale', 'batch', 'size', 'rounds', 'threads')}
        write_json(args.out, {**machine, **run, **result})


if __name__ == '__main__':
    main()
