"""`pointkd train`, from the command line to the files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.toy import write_config

from pointkd.cli.main import main
from pointkd.io.checkpoints import read_checkpoint

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Path of the toy config."""
    torch.set_num_threads(1)
    return str(write_config(tmp_path))


def test_trains_and_resumes(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ['train', config, '--work-dir', str(tmp_path / 'run'), '--seed', '7']
    assert main([*run, '--cfg-options', 'train_cfg.max_epochs=1']) == 0
    assert f'trained 6 iterations: {tmp_path / "run" / "last.pth"}' in capsys.readouterr().out
    assert main([*run, '--amp', '--resume', '--cfg-options', 'train_cfg.max_epochs=2']) == 0
    meta = read_checkpoint(tmp_path / 'run' / 'last.pth')['meta']
    assert (meta['iter'], meta['seed']) == (12, 7)


def test_work_dir_is_named_after_the_config(config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(['train', config, '--cfg-options', 'train_cfg.max_epochs=1']) == 0
    assert (tmp_path / 'work_dirs' / 'toy' / 'last.pth').is_file()


def test_nothing_to_resume_starts_anew(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(
            [
                'train',
                config,
                '--work-dir',
                str(tmp_path / 'run'),
                '--resume',
                '--cfg-options',
                'train_cfg.max_epochs=1',
            ]
        )
        == 0
    )
    assert (tmp_path / 'run' / 'last.pth').is_file()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere.py'], 'nowhere.py: no such config file'),
        (['CONFIG', '--cfg-options', 'model.norn=1'], "model has no 'norn'"),
        (['CONFIG', '--data-root', 'nowhere'], '--data-root nowhere: no such folder'),
        (['CONFIG', '--launcher', 'pytorch'], 'not set; start with `torchrun'),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str],
    message: str,
    config: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(['train', *(config if word == 'CONFIG' else word for word in arguments)]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('pointkd train: ')
    assert message in error


@pytest.mark.parametrize('script', ['dist_train.sh', 'slurm_train.sh'])
def test_launch_scripts_are_valid_and_say_how(script: str) -> None:
    path = str(REPOSITORY / 'tools' / script)
    subprocess.run(['bash', '-n', path], check=True)
    done = subprocess.run(['bash', path], capture_output=True, text=True)
    assert done.returncode == 2
    assert 'usage:' in done.stderr


def test_slurm_script_asks_for_what_it_is_told(tmp_path: Path) -> None:
    (tmp_path / 'srun').write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / 'srun').chmod(0o755)
    environment = {'PATH': f'{tmp_path}:/usr/bin:/bin', 'PYTHON': sys.executable, 'GPUS': '16', 'GPUS_PER_NODE': '4'}
    script = str(REPOSITORY / 'tools' / 'slurm_train.sh')
    done = subprocess.run(
        ['bash', script, 'part', 'job', 'a.py', '--amp'], env=environment, capture_output=True, text=True, check=True
    )
    assert '-p part --job-name job --ntasks 16 --cpus-per-task 5 --gres gpu:4 --ntasks-per-node 4' in done.stdout
    assert done.stdout.strip().endswith('tools/train.py a.py --launcher slurm --amp')
