"""The steps of the demo, each through the same commands that a user types."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from pointkd.core.errors import CheckpointError, TrainingError
from pointkd.core.files import atomic_write
from pointkd.engine.bf16 import WORTH, bf16_gain
from pointkd.evaluation.kitti import evaluate_folders
from pointkd.report.demo.settings import DemoSettings

TEACHER_BATCH = 4  # its training is long; students make twice the steps in the same time
DETECTION_LOSSES = ('loss_cls', 'loss_bbox', 'loss_dir')


def command(*words: str | Path) -> None:
    """Run a `pointkd` command as a process of its own.

    Raises:
        TrainingError: it failed; its own message stands above.
    """
    spoken = [str(word) for word in words]
    code = subprocess.run([sys.executable, '-m', 'pointkd.cli.main', *spoken], check=False).returncode
    if code == 130:
        raise KeyboardInterrupt
    if code:
        raise TrainingError(f'`pointkd {" ".join(spoken)}` ended with code {code}; its message stands above')


def make_data(settings: DemoSettings) -> None:
    """Make the scenes that are missing, and the index files that training reads."""
    scenes = ['--scenes', str(settings.scenes), '--seed', str(settings.seed)]
    command('create-data', 'synthetic-kitti', *scenes, '--out', settings.data)
    command('create-data', 'kitti', '--root', settings.data)


def prepare_teacher(settings: DemoSettings) -> None:
    """Train the teacher, or put the shipped one in its place.

    Raises:
        CheckpointError: there is no shipped teacher.
    """
    if settings.train_teacher:
        train(settings, 'teacher', settings.teacher_iterations)
        return
    if not settings.teacher_weights.is_file():
        raise CheckpointError(
            f'{settings.teacher_weights} is missing; run `pointkd demo --train-teacher`, or take the file from the '
            'repository'
        )
    from pointkd.io.config import load_config

    folder = settings.net('teacher')
    folder.mkdir(parents=True, exist_ok=True)
    config = load_config(settings.config('teacher'), data_root=str(settings.data), pretrained=False)
    config.dump(str(folder / 'config.py'))
    with atomic_write(folder / 'last.pth') as file, open(settings.teacher_weights, 'rb') as weights:
        shutil.copyfileobj(weights, file)


def train(settings: DemoSettings, name: str, iterations: int, *, resume: bool = False) -> None:
    """Train one net on the scenes."""
    options = [
        f'train_cfg.max_iters={iterations}',
        f'train_cfg.val_interval={iterations}',
        f'param_scheduler.0.total_steps={iterations}',
    ]
    if name == 'teacher':
        options.append(f'train_dataloader.batch_size={TEACHER_BATCH}')
    if name == 'distilled':
        options.append(f'distill.teacher.checkpoint={settings.net("teacher").resolve() / "last.pth"}')
    amp = bf16_gain() > WORTH if settings.amp is None else settings.amp
    words: list[str | Path] = ['train', settings.config(name), '--work-dir', settings.net(name)]
    words += ['--data-root', settings.data, '--seed', str(settings.seed), '--no-pretrained']
    words += ['--amp'] if amp else []
    words += ['--resume'] if resume else []
    command(*words, '--cfg-options', *options)


def detect(settings: DemoSettings, name: str) -> Path:
    """Run a net on the evaluation scenes; return the folder of its result files."""
    folder = settings.net(name)
    results = folder / 'results'
    shutil.rmtree(results, ignore_errors=True)
    options: list[str | Path] = ['--data-root', settings.data, '--no-pretrained']
    command('test', folder / 'config.py', folder / 'last.pth', '--out', results, *options)
    return results / 'pred_instances_3d'


def score(settings: DemoSettings, results: Path) -> dict[str, Any]:
    """Return the official KITTI metric of result files on the evaluation scenes."""
    return dict(evaluate_folders(settings.data / 'training' / 'label_2', results, frames=evaluation_frames(settings)))


def evaluation_frames(settings: DemoSettings) -> list[str]:
    """Return the IDs of the evaluation scenes."""
    return (settings.data / 'ImageSets' / 'val.txt').read_text().split()


def loss_curve(folder: Path) -> list[tuple[float, float]]:
    """Return (iteration, detection loss) of a training's log, distillation terms left out; a later run counts."""
    points: dict[float, float] = {}
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if 'step' in entry and DETECTION_LOSSES[0] in entry:
                points[float(entry['step'])] = sum(float(entry[key]) for key in DETECTION_LOSSES)
    return sorted(points.items())
