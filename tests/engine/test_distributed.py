"""Several processes on the CPU, through gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.runs import differences, finish_group, finish_training, kill_when, start_group
from helpers.toy import write_config

from pointkd.cli.main import main
from pointkd.core.errors import CheckpointError, ConfigError
from pointkd.engine.distributed import start_processes
from pointkd.io.checkpoints import read_checkpoint

REPOSITORY = Path(__file__).resolve().parents[2]
NO_NORM = """
model = dict(type='ToyNet', norm=False)
train_dataloader['dataset']['size'] = 8
"""
KILLED = """
model.update(delay=0.03, sync=True)
model_wrapper_cfg = dict(type='MMDistributedDataParallel', find_unused_parameters=True)
custom_hooks.append(dict(type='SyncBuffersHook'))
"""


@pytest.mark.long
def test_two_processes_equal_one_with_the_double_batch(tmp_path: Path) -> None:
    config = write_config(tmp_path, NO_NORM)
    finish_training(config, tmp_path / 'one', options=['train_dataloader.batch_size=4'])
    finish_group(config, tmp_path / 'two')
    one, two = (read_checkpoint(tmp_path / name / 'last.pth') for name in ('one', 'two'))
    assert one['meta']['iter'] == two['meta']['iter'] == 8
    for name, value in one['state_dict'].items():
        torch.testing.assert_close(two['state_dict'][name], value, rtol=0, atol=1e-6)


@pytest.mark.long
def test_killed_group_resumes_bit_for_bit(tmp_path: Path) -> None:
    config = write_config(tmp_path, KILLED)
    finish_group(config, tmp_path / 'unbroken')
    processes = start_group(config, tmp_path / 'killed')
    last = tmp_path / 'killed' / 'last.pth'
    assert kill_when(processes[0], last.exists)
    for process in processes:
        process.kill()
        process.join()
    assert 0 < read_checkpoint(last)['meta']['iter'] < 12
    finish_group(config, tmp_path / 'killed', resume=True)
    assert differences(last, tmp_path / 'unbroken' / 'last.pth') == []


@pytest.mark.slow
def test_launch_script_trains_and_tests(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    environment = {
        **os.environ,
        'PYTHON': sys.executable,
        'PYTHONPATH': str(REPOSITORY / 'tests'),
        'MASTER_PORT': '29611',
    }
    script = REPOSITORY / 'tools' / 'dist_train.sh'
    command = ['bash', str(script), str(config), '2', '--work-dir', str(tmp_path / 'run')]
    subprocess.run(command, check=True, env=environment, capture_output=True, timeout=600)
    run = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node', '2', '--master_port', '29612']
    test = [
        str(REPOSITORY / 'tools' / 'test.py'),
        str(config),
        str(tmp_path / 'run' / 'last.pth'),
        '--launcher',
        'pytorch',
    ]
    done = subprocess.run([*run, *test], check=True, env=environment, capture_output=True, text=True, timeout=600)
    assert 'count: 4' in done.stdout.splitlines()  # the results of both processes


def test_other_number_of_processes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pointkd.engine.train import train
    from pointkd.io.checkpoints import save_checkpoint
    from pointkd.io.config import load_config

    config = load_config(write_config(tmp_path))
    save_checkpoint(tmp_path / 'run' / 'last.pth', {'meta': {'seed': 0, 'world_size': 2}, 'state_dict': {}})
    with pytest.raises(CheckpointError, match='run of 2 processes, this one has 1'):
        train(config, tmp_path / 'run', resume=True)


def test_missing_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'SLURM_NODELIST', 'SLURM_PROCID'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=r'RANK, WORLD_SIZE.*torchrun'):
        start_processes('pytorch')
    with pytest.raises(ConfigError, match='SLURM_NODELIST is not set'):
        start_processes('slurm')
    with pytest.raises(ConfigError, match='choose one of'):
        start_processes('mpi')


def test_launcher_is_checked_by_the_verb(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(['train', str(write_config(tmp_path)), '--launcher', 'mpi'])
