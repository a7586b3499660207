"""Several processes without a GPU: mmengine starts them for CUDA only."""

from __future__ import annotations

import os
import subprocess

import torch.distributed

from pointkd.core.errors import ConfigError

LAUNCHERS = ('none', 'pytorch', 'slurm')


def start_processes(launcher: str) -> None:
    """Join this process to the group that `torchrun` or `srun` started, through gloo.

    Args:
        launcher: `'pytorch'` or `'slurm'`.

    Raises:
        ConfigError: another launcher, or its environment variables are absent.
    """
    if torch.distributed.is_initialized():
        return
    if launcher == 'slurm':
        _slurm_environment()
    elif launcher != 'pytorch':
        raise ConfigError(f'--launcher {launcher}: choose one of {", ".join(LAUNCHERS)}')
    missing = [name for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR') if name not in os.environ]
    if missing:
        raise ConfigError(
            f'--launcher {launcher}: {", ".join(missing)} not set; start with `torchrun --nproc_per_node=N` '
            '(tools/dist_train.sh) or tools/slurm_train.sh'
        )
    torch.distributed.init_process_group('gloo')


def _slurm_environment() -> None:
    """Translate what Slurm says into what torch asks for."""
    try:
        nodes = os.environ['SLURM_NODELIST']
        os.environ['RANK'] = os.environ['SLURM_PROCID']
        os.environ['WORLD_SIZE'] = os.environ['SLURM_NTASKS']
        os.environ['LOCAL_RANK'] = os.environ.get('SLURM_LOCALID', '0')
    except KeyError as error:
        raise ConfigError(f'--launcher slurm: {error.args[0]} is not set; start with tools/slurm_train.sh') from error
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in os.environ:
        hosts = subprocess.run(['scontrol', 'show', 'hostnames', nodes], capture_output=True, text=True, check=True)
        os.environ['MASTER_ADDR'] = hosts.stdout.split()[0]
