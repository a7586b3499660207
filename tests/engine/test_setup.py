"""From any config to the settings of our runner."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from helpers.toy import write_config
from mmengine.config import Config

from pointkd.core.errors import ConfigError
from pointkd.engine.setup import evaluation_settings, runner_arguments, training_settings, with_found_teacher
from pointkd.io.config import load_config


def settings(folder: Path, extra: str = '', amp: bool = False) -> Config:
    """Return the training settings of the toy config with more lines."""
    return training_settings(load_config(write_config(folder, extra)), folder / 'run', 3, amp)


def test_config_itself_is_not_changed(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path))
    text = config.pretty_text
    training_settings(config, tmp_path, 0, True)
    evaluation_settings(config, tmp_path)
    assert config.pretty_text == text


@pytest.mark.parametrize(
    ('block', 'loop'),
    [
        ('dict(by_epoch=True, max_epochs=2)', 'ResumableEpochLoop'),
        ('dict(by_epoch=False, max_iters=2)', 'ResumableIterLoop'),
        ("dict(type='EpochBasedTrainLoop', max_epochs=2)", 'ResumableEpochLoop'),
        ("dict(type='mmengine.IterBasedTrainLoop', max_iters=2)", 'ResumableIterLoop'),
    ],
)
def test_loops(tmp_path: Path, block: str, loop: str) -> None:
    assert settings(tmp_path, f'train_cfg = {block}\n').train_cfg.type == loop


def test_loop_of_another_kind_is_kept_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger='pointkd'):
        assert settings(tmp_path, "train_cfg = dict(type='OwnLoop')\n").train_cfg.type == 'OwnLoop'
    assert 'will not resume exactly' in caplog.text


@pytest.mark.parametrize(
    ('extra', 'backends'),
    [
        ('', ['LocalVisBackend', 'TensorboardVisBackend']),
        (
            "visualizer = dict(type='Visualizer', name='v', vis_backends=[dict(type='TensorboardVisBackend')])\n",
            ['TensorboardVisBackend'],
        ),
        (
            "visualizer = dict(type='Visualizer', vis_backends=[dict(type='WandbVisBackend')])\n",
            ['WandbVisBackend', 'TensorboardVisBackend'],
        ),
    ],
)
def test_tensorboard_is_on(tmp_path: Path, extra: str, backends: list[str]) -> None:
    visualizer = settings(tmp_path, extra).visualizer
    assert [entry['type'] for entry in visualizer['vis_backends']] == backends
    assert 'name' not in visualizer


def test_checkpoint_hook_keeps_the_config_s_wishes(tmp_path: Path) -> None:
    hook = settings(tmp_path).default_hooks.checkpoint
    assert hook == dict(
        type='LastCheckpointHook',
        interval=1,
        max_keep_ckpts=2,
        save_best='error',
        rule='less',
        save_minutes=10.0,
        save_iterations=2,
    )
    assert settings(tmp_path, 'del default_hooks\n').default_hooks.checkpoint.interval == 1
    assert (
        settings(
            tmp_path, 'train_cfg = dict(by_epoch=False, max_iters=1)\ndel default_hooks\n'
        ).default_hooks.checkpoint.by_epoch
        is False
    )


def test_without_workers_nothing_needs_them(tmp_path: Path) -> None:
    loader = settings(
        tmp_path, 'train_dataloader.update(persistent_workers=True, prefetch_factor=2)\n'
    ).train_dataloader
    assert 'persistent_workers' not in loader
    assert 'prefetch_factor' not in loader
    kept = settings(tmp_path, 'train_dataloader.update(persistent_workers=True, num_workers=2)\n').train_dataloader
    assert kept.persistent_workers


def test_evaluation_wraps_its_data_and_drops_training(tmp_path: Path) -> None:
    tested = evaluation_settings(load_config(write_config(tmp_path)), tmp_path)
    assert tested.test_dataloader.dataset.type == 'NamedDataset'
    assert {'train_dataloader', 'optim_wrapper', 'val_dataloader'}.isdisjoint(tested)
    assert {'model', 'work_dir', 'test_cfg', 'randomness'} <= set(runner_arguments(tested))


def test_teacher_of_a_copied_config_is_found(tmp_path: Path) -> None:
    (tmp_path / 'teacher.py').write_text('')
    (tmp_path / 'teacher.pth').write_text('')
    block: dict[str, Any] = dict(config='teacher.py', checkpoint='teacher.pth')
    config = load_config(write_config(tmp_path, f'distill = dict(teacher={block!r})\n'))
    found = with_found_teacher(config).distill.teacher
    assert found == dict(config=str(tmp_path / 'teacher.py'), checkpoint=str(tmp_path / 'teacher.pth'))
    assert config.distill.teacher == block
    (tmp_path / 'teacher.pth').unlink()
    with pytest.raises(ConfigError, match=r'distill\.teacher\.checkpoint: no file'):
        with_found_teacher(config)
