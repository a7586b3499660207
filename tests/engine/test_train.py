"""What a run leaves behind, and what stops it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.runs import differences
from helpers.toy import write_config

import pointkd.engine  # noqa: F401
from pointkd.core.errors import CheckpointError, ConfigError, DataError, StorageError, TrainingError
from pointkd.engine.evaluate import evaluate
from pointkd.engine.train import train
from pointkd.io.build import build_model
from pointkd.io.checkpoints import read_checkpoint
from pointkd.io.config import load_config

SHORT = 'train_cfg = dict(by_epoch=True, max_epochs=1)\n'


def run(folder: Path, extra: str = '', name: str = 'run', **settings: Any) -> Any:
    """Train the toy config with more lines at its end."""
    torch.set_num_threads(1)
    return train(load_config(write_config(folder, extra)), folder / name, **settings)


@pytest.fixture(scope='module')
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Work folder of a finished run."""
    folder = tmp_path_factory.mktemp('finished')
    run(folder)
    return folder / 'run'


# -- what is left --------------------------------------------------------------------------------------------------


def test_layout(finished: Path) -> None:
    config = load_config(finished / 'config.py')
    content = read_checkpoint(finished / 'last.pth')
    network = build_model(config, finished / 'last.pth')
    assert content['meta']['iter'] == 24
    assert content['meta']['epoch'] == 4
    assert all(torch.equal(value, content['state_dict'][name]) for name, value in network.state_dict().items())
    names = {file.name for file in finished.iterdir()}
    assert {'last.pth', 'config.py', 'epoch_3.pth', 'epoch_4.pth', 'last_checkpoint'} <= names
    assert not [name for name in names if name.endswith('.tmp')]
    assert os.path.samefile(finished / 'last.pth', finished / 'epoch_4.pth')  # written once


def test_best_epoch_is_kept(finished: Path) -> None:
    best = list(finished.glob('best_error_epoch_*.pth'))
    assert len(best) == 1
    hub = read_checkpoint(finished / 'last.pth')['message_hub']['runtime_info']
    assert hub['best_ckpt'] == str(best[0])
    assert hub['best_score'] == pytest.approx(evaluate(load_config(finished / 'config.py'), best[0])['error'])


def test_logs(finished: Path) -> None:
    assert list(finished.glob('*/vis_data/events.out.tfevents.*'))
    lines = [json.loads(line) for file in finished.glob('*/vis_data/*.json') for line in file.read_text().splitlines()]
    assert {'loss', 'lr', 'grad_norm'} <= set().union(*lines)
    text = next(finished.glob('*/*.log')).read_text()
    assert 'eta:' in text


def test_same_seed_same_weights_other_seed_others(finished: Path, tmp_path: Path) -> None:
    run(tmp_path, name='again')
    assert differences(finished / 'last.pth', tmp_path / 'again' / 'last.pth') == []
    run(tmp_path, name='other', seed=1)
    assert 'state_dict' in differences(finished / 'last.pth', tmp_path / 'other' / 'last.pth')


def test_finished_run_is_not_trained_again(finished: Path) -> None:
    before = (finished / 'last.pth').stat().st_mtime_ns
    runner = train(load_config(finished / 'config.py'), finished, resume=True, seed=5)
    assert runner.iter == 24
    assert runner.seed == 0  # the checkpoint's
    assert (finished / 'last.pth').stat().st_mtime_ns == before


def test_evaluation_changes_nothing_and_repeats(finished: Path) -> None:
    config = load_config(finished / 'config.py')
    text = config.pretty_text
    first, second = (evaluate(config, finished / 'last.pth') for _ in range(2))
    assert first == second
    assert first['count'] == 4
    assert config.pretty_text == text


# -- what goes wrong -----------------------------------------------------------------------------------------------


def test_bad_frames_are_skipped_counted_and_reported(tmp_path: Path) -> None:
    extra = SHORT + "train_dataloader['dataset'].update(broken=(2, 5))\nreliability.update(max_bad_frames=2)\n"
    run(tmp_path, extra)
    report = json.loads((tmp_path / 'run' / 'bad_frames.json').read_text())
    assert report['limit'] == 2
    assert set(report['frames']) == {'frame_2.png', 'frame_5.png'}
    assert report['frames']['frame_2.png']['reason'].startswith('ValueError: cannot reshape')
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert 'skipped frame frame_2.png' in log


def test_too_many_bad_frames_stop_the_run(tmp_path: Path) -> None:
    extra = "train_dataloader['dataset'].update(broken=(2, 5, 7))\nreliability.update(max_bad_frames=2)\n"
    with pytest.raises(TrainingError, match=r'3 frames can not be used.*max_bad_frames allows \(2\).*frame_\d\.png'):
        run(tmp_path, extra)


def test_count_of_bad_frames_survives_a_restart(tmp_path: Path) -> None:
    extra = "train_dataloader['dataset'].update(broken=(2, 5))\nreliability.update(max_bad_frames=2)\n"
    run(tmp_path, extra + SHORT)
    run(tmp_path, extra, resume=True)
    frames = json.loads((tmp_path / 'run' / 'bad_frames.json').read_text())['frames']
    assert sum(frame['count'] for frame in frames.values()) >= 8  # twice in each of four epochs


def test_loss_that_is_not_finite_is_skipped(tmp_path: Path) -> None:
    extra = SHORT + "train_dataloader['dataset'].update(infinite=(3,))\n"
    run(tmp_path, extra)
    content = read_checkpoint(tmp_path / 'run' / 'last.pth')
    assert content['message_hub']['runtime_info']['bad_losses'] == 1
    assert all(torch.isfinite(value).all() for value in content['state_dict'].values())
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert 'loss_value is not finite' in log


def test_too_many_such_losses_stop_the_run(tmp_path: Path) -> None:
    extra = "train_dataloader['dataset'].update(infinite=(3, 4, 5, 6))\nreliability.update(max_bad_losses=2)\n"
    with pytest.raises(TrainingError, match=r'iteration \d+: loss_value is not finite; frames .*number 3.*--resume'):
        run(tmp_path, extra)


def test_full_disk_stops_with_the_last_checkpoint_intact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, name='unbroken')
    written, sync = [], os.fsync

    def full(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) > 6:
            raise OSError(errno.ENOSPC, 'No space left on device')
        sync(descriptor)

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(StorageError, match='the disk is full; nothing was overwritten'):
        run(tmp_path)
    monkeypatch.undo()
    assert read_checkpoint(tmp_path / 'run' / 'last.pth')['meta']['iter'] > 0
    run(tmp_path, resume=True)
    assert differences(tmp_path / 'run' / 'last.pth', tmp_path / 'unbroken' / 'last.pth') == []


def test_changed_network_can_not_resume(tmp_path: Path) -> None:
    run(tmp_path, SHORT)
    with pytest.raises(CheckpointError, match=r'last\.pth: does not belong to this ToyNet: .*body\.1\.weight'):
        run(tmp_path, "model['norm'] = False\n", resume=True)


def test_changed_data_can_not_resume(tmp_path: Path) -> None:
    run(tmp_path, SHORT + "train_cfg['val_interval'] = 9\n")
    with pytest.raises(CheckpointError, match=r'iteration 6.*epoch 1.*--resume needs the same data and batch size'):
        run(tmp_path, "train_dataloader['dataset']['size'] = 31\n", resume=True)


@pytest.mark.parametrize(
    ('extra', 'error', 'message'),
    [
        (
            'reliability.update(max_bad_frame=1)\n',
            ConfigError,
            r"unknown key 'max_bad_frame': did you mean 'max_bad_frames'",
        ),
        ('reliability.update(save_minutes=0)\n', ConfigError, r'save_minutes: expected more than 0'),
        ('del train_dataloader\n', ConfigError, r'can not be trained: it has no train_dataloader'),
        ("model = dict(type='ToyNat')\n", ConfigError, r"no model of type 'ToyNat' in mmengine: did you mean 'ToyNet'"),
        ("train_dataloader['dataset']['type'] = 'ToyDate'\n", ConfigError, r"no dataset of type 'ToyDate'.*'ToyData'"),
        ("model['delai'] = 1\n", ConfigError, r"model: ToyNet has no setting 'delai': did you mean 'delay'"),
        (
            "train_dataloader['dataset']['sise'] = 3\n",
            ConfigError,
            r"ToyData has no setting 'sise': did you mean 'size'",
        ),
        ("optim_wrapper['optimizer']['type'] = 'AdamV'\n", ConfigError, r"no type 'AdamV': did you mean 'Adam"),
        (
            "optim_wrapper['optimizer']['wait_decay'] = 0.1\n",
            ConfigError,
            r"AdamW has no .*did you mean 'weight_decay'",
        ),
        (
            "train_cfg['val_intervall'] = 3\n",
            ConfigError,
            r"has no setting 'val_intervall': did you mean 'val_interval'",
        ),
        ('train_cfg = dict(by_epoch=True)\n', ConfigError, r"missing 1 required .*'max_epochs'"),
        ("custom_hooks[0]['tipe'] = 3\n", ConfigError, r"'tipe'"),
        ("default_hooks['checkpoint']['type'] = 'OtherHook'\n", ConfigError, r'needs its own hook'),
        (
            "train_dataloader['dataset']['file'] = 'no.json'\n",
            DataError,
            r'no\.json.*--data-root',
        ),
    ],
)
def test_wrong_config_is_explained(tmp_path: Path, extra: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run(tmp_path, extra)


def test_config_that_can_not_be_tested(finished: Path, tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path, 'del test_dataloader\n'))
    with pytest.raises(ConfigError, match='can not be tested: it has no test_dataloader'):
        evaluate(config, finished / 'last.pth')


def test_bad_frame_in_an_evaluation_is_an_error(finished: Path, tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path, "test_dataloader['dataset'].update(broken=(1,))\n"))
    with pytest.raises(DataError, match=r'frame_1\.png: ValueError'):
        evaluate(config, finished / 'last.pth', work_dir=tmp_path / 'test')
