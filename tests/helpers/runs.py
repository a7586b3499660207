"""Training runs in processes of their own, which can be killed."""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from pathlib import Path
from typing import Any

import torch

# Everything that a run imports, so that a fresh process starts in no time.
PRELOADED = ['helpers.runs', 'helpers.toy', 'pointkd.engine.train', 'torch._dynamo', 'torch.utils.tensorboard']
PRELOADED += ['mmdet3d.models', 'mmdet3d.datasets', 'mmdet3d.visualization']


def run_training(config: str, work_dir: str, settings: dict[str, Any]) -> None:
    """Train a config file on one thread; the target of a process."""
    os.environ.update(settings.pop('environment', {}))
    torch.set_num_threads(1)
    import pointkd.engine  # noqa: F401
    from pointkd.engine.train import train
    from pointkd.io.config import load_config

    options = settings.pop('options', [])
    train(load_config(config, options=options), work_dir, **settings)


def start_training(config: Path, work_dir: Path, **settings: Any) -> Any:
    """Start a training in a fresh process and return the process; imports are done once for all of them."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=run_training, args=(str(config), str(work_dir), settings))
    process.start()
    return process


def finish_training(config: Path, work_dir: Path, **settings: Any) -> None:
    """Train to the end in a process of its own."""
    process = start_training(config, work_dir, **settings)
    process.join(timeout=300)
    assert process.exitcode == 0


def start_group(config: Path, work_dir: Path, size: int = 2, **settings: Any) -> list[Any]:
    """Start a training of several processes, as torchrun would, and return them."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = str(probe.getsockname()[1])
    common = {'WORLD_SIZE': str(size), 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': port}
    ranks = [{**common, 'RANK': str(rank), 'LOCAL_RANK': str(rank)} for rank in range(size)]
    return [start_training(config, work_dir, launcher='pytorch', environment=rank, **settings) for rank in ranks]


def finish_group(config: Path, work_dir: Path, **settings: Any) -> None:
    """Train with several processes to the end."""
    processes = start_group(config, work_dir, **settings)
    for process in processes:
        process.join(timeout=300)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def kill_when(process: Any, ready: Any, delay: float = 0.0, timeout: float = 120.0) -> bool:
    """Send SIGKILL (`kill -9`) `delay` seconds after `ready()`; return whether the process was still running then."""
    end = time.monotonic() + timeout
    while process.is_alive() and not ready():
        assert time.monotonic() < end, 'the training never got there'
        time.sleep(0.02)
    time.sleep(delay)
    running = process.is_alive()
    process.kill()
    process.join()
    return running


def differences(first: Path, second: Path) -> list[str]:
    """Return the names of what differs between two checkpoints that must be equal bit for bit."""
    from pointkd.io.checkpoints import read_checkpoint

    one, two = (read_checkpoint(path) for path in (first, second))
    keys = ['state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers', 'distill']
    found = [key for key in keys if key in one or key in two if not same(one.get(key), two.get(key))]
    counters = ('epoch', 'iter', 'seed')
    return found + [key for key in counters if one['meta'][key] != two['meta'][key]]


def same(one: Any, two: Any) -> bool:
    """Return whether nested containers hold the same values, tensors bit for bit."""
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        return one.dtype == two.dtype and one.shape == two.shape and bits(one) == bits(two)
    if isinstance(one, dict) and isinstance(two, dict):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(two, list | tuple):
        return len(one) == len(two) and all(same(a, b) for a, b in zip(one, two, strict=True))
    return type(one) is type(two) and one == two


def bits(tensor: torch.Tensor) -> bytes:
    """Return a tensor's values as bytes, in row-major order."""
    return tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()
