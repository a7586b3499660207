"""The configs for real frames train a step on them and are evaluated, through the same calls as the tools."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from helpers.configs import CONFIGS

from pointkd.datasets.kitti_prepare import prepare
from pointkd.engine.train import train
from pointkd.io.config import load_config

FRAMES = {'kitti-mini': ('kitti', 'mini_train', 'mini_val'), 'astyx': ('astyx', 'train', 'val')}


def few_frames(source: Path, folder: Path, training: str, evaluated: str) -> None:
    """Make a data set of the first frames of another's lists: links to its files, lists of its own."""
    (folder / 'ImageSets').mkdir(parents=True)
    (folder / 'training').symlink_to(source / 'training')
    for part, count, name in (('train', 4, training), ('val', 2, evaluated), ('test', 2, evaluated)):
        frames = (source / 'ImageSets' / f'{name}.txt').read_text(encoding='utf-8').split()[:count]
        (folder / 'ImageSets' / f'{part}.txt').write_text('\n'.join(frames), encoding='utf-8')


@pytest.mark.data
@pytest.mark.long
@pytest.mark.parametrize(('data', 'student'), [('kitti-mini', ''), ('astyx', '-4x')])
def test_trains_a_step_and_is_evaluated(data: str, student: str, shared: Path, tmp_path: Path) -> None:
    name, training, evaluated = FRAMES[data]
    few_frames(shared / 'data' / name, tmp_path / 'source', training, evaluated)
    prepare(tmp_path / 'source', tmp_path / 'data', jobs=1)
    config = load_config(
        CONFIGS / 'pointpillars' / f'pointpillars{student}_{data}.py',
        data_root=str(tmp_path / 'data'),
        options=[
            'train_cfg.max_epochs=1',
            'train_cfg.val_interval=1',
            'train_dataloader.dataset.times=1',
            'train_dataloader.num_workers=0',
            'train_dataloader.persistent_workers=False',
        ],
    )
    runner = train(config, tmp_path / 'run')
    assert runner.iter == 1
    scores = {key: value for key, value in runner.message_hub.log_scalars.items() if 'Car_3D_AP40' in key}
    assert scores
    assert all(math.isfinite(value.current()) for value in scores.values())
    assert math.isfinite(runner.message_hub.get_scalar('train/loss').current())
