"""`kill -9` at any moment, then `--resume`: the final weights equal those of an unbroken run bit for bit."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest
from helpers.runs import differences, finish_training, kill_when, start_training
from helpers.toy import write_config

from pointkd.io.checkpoints import read_checkpoint

SLOW_STEPS = "\nmodel['delay'] = 0.02\n"
WORKERS = '\ntrain_dataloader.update(num_workers=2, persistent_workers=True)\n'
ITERATIONS = """
train_cfg = dict(by_epoch=False, max_iters=22, val_interval=9)
train_dataloader['sampler'] = dict(type='{sampler}', shuffle=True)
param_scheduler = [dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=0, end=22, by_epoch=False)]
default_hooks['checkpoint'].update(by_epoch=False, interval=8)
"""


@pytest.fixture(scope='module')
def unbroken(tmp_path_factory: pytest.TempPathFactory):
    """Give the last checkpoint of an unbroken run of a config, trained once each."""
    done: dict[str, tuple[Path, Path]] = {}

    def run(extra: str) -> tuple[Path, Path]:
        if extra not in done:
            folder = tmp_path_factory.mktemp('unbroken')
            config = write_config(folder, extra)
            finish_training(config, folder / 'run')
            done[extra] = config, folder / 'run' / 'last.pth'
        return done[extra]

    return run


def iteration(work_dir: Path) -> int:
    """Return the iteration of a run's last checkpoint, 0 before the first."""
    file = work_dir / 'last.pth'
    return read_checkpoint(file)['meta']['iter'] if file.is_file() else 0


def reached(work_dir: Path, target: int) -> bool:
    """Return whether a run has a checkpoint of an iteration."""
    return iteration(work_dir) >= target


@pytest.mark.long
@pytest.mark.parametrize(
    'extra',
    [
        pytest.param(SLOW_STEPS, id='epochs'),
        pytest.param(SLOW_STEPS + WORKERS, id='epochs-two-workers'),
        pytest.param(SLOW_STEPS + ITERATIONS.format(sampler='InfiniteSampler'), id='iterations'),
        pytest.param(SLOW_STEPS + WORKERS + ITERATIONS.format(sampler='DefaultSampler'), id='iterations-two-workers'),
    ],
)
def test_killed_again_and_again(extra: str, unbroken, tmp_path: Path) -> None:
    config, reference = unbroken(extra)
    dice = random.Random(extra)
    work_dir, kills = tmp_path / 'run', 0
    for _ in range(4):
        target = iteration(work_dir) + dice.randint(1, 8)
        process = start_training(config, work_dir, resume=True)
        kills += kill_when(process, partial(reached, work_dir, target), dice.uniform(0, 0.1))
    assert kills >= 2
    finish_training(config, work_dir, resume=True)
    assert differences(work_dir / 'last.pth', reference) == []


@pytest.mark.parametrize(
    'pasting', [pytest.param(False, marks=pytest.mark.long), pytest.param(True, marks=pytest.mark.slow)]
)
def test_distilled_detector(pasting: bool, tmp_path: Path) -> None:
    from helpers.nets import pillars_config, write_teacher
    from helpers.small_kitti import make_scenes, small_kitti

    methods = [
        dict(type='LocalGraph', student='voxel_encoder', samples=50, neighbors=8, schedule=dict(type='Warmup', end=5)),
        dict(type='FeatureMimic', student='neck', share=0.5),
    ]
    distill = dict(teacher=write_teacher(tmp_path, pillars_config(16)), methods=methods)
    scenes = make_scenes(tmp_path / 'kitti')
    settings = small_kitti(scenes, pasting=pasting, distill=distill, custom_hooks=[dict(type='EMAHook')])
    settings.reliability = dict(save_iterations=2)
    settings.update(val_dataloader=None, val_cfg=None, val_evaluator=None)
    settings.dump(str(tmp_path / 'distilled.py'))
    config, work_dir = tmp_path / 'distilled.py', tmp_path / 'killed'
    finish_training(config, tmp_path / 'unbroken')
    assert kill_when(start_training(config, work_dir), partial(reached, work_dir, 6))
    finish_training(config, work_dir, resume=True)
    assert differences(work_dir / 'last.pth', tmp_path / 'unbroken' / 'last.pth') == []


@pytest.mark.long
def test_killed_before_the_first_checkpoint(unbroken, tmp_path: Path) -> None:
    config, reference = unbroken(SLOW_STEPS)
    process = start_training(config, tmp_path / 'run')
    kill_when(process, (tmp_path / 'run' / 'config.py').exists)
    finish_training(config, tmp_path / 'run', resume=True)
    assert differences(tmp_path / 'run' / 'last.pth', reference) == []


@pytest.mark.long
def test_worker_processes_change_nothing(unbroken) -> None:
    (_, alone), (_, workers) = unbroken(SLOW_STEPS), unbroken(SLOW_STEPS + WORKERS)
    assert differences(alone, workers) == []
