"""One process of a distributed run of the Distiller (importable, as spawned processes need it)."""

from __future__ import annotations

import os
import socket

import torch

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from helpers.nets import image_batch, segmentor_config
from pointkd.distill.distiller import Distiller


def build(teacher: dict, share: float | None) -> Distiller:
    """Return a distilled segmentor; no dropout, no batch norm."""
    model = segmentor_config(4)
    strength = dict(weight=0.7) if share is None else dict(share=share)
    methods = [
        dict(type='FeatureMimic', student='backbone[1]', **strength),
        dict(type='FeatureMimic', student='backbone[0]', schedule=dict(type='Until', end=0)),
    ]
    torch.manual_seed(0)
    return Distiller(model, dict(teacher=teacher, methods=methods), dict(default_scope='mmseg', model=model)).train()


def gradients(model: torch.nn.Module, plain: Distiller, batch: dict) -> dict[str, torch.Tensor]:
    """Return the gradient of the summed losses by parameter name."""
    data = plain.data_preprocessor(batch, True)
    loss, _ = plain.parse_losses(model(**data, mode='loss'))
    loss.backward()
    return {name: parameter.grad.clone() for name, parameter in plain.named_parameters()}


def work(rank: int, port: int, teacher: dict, share: float | None, out: str) -> None:
    """One rank: its half of the batch through DDP."""
    from mmengine.model import MMDistributedDataParallel

    os.environ.update(RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo')
    plain = build(teacher, share)
    batch = image_batch(4)
    half = {key: value[2 * rank : 2 * rank + 2] for key, value in batch.items()}
    found = gradients(MMDistributedDataParallel(plain), plain, half)
    if rank == 0:
        torch.save(found, out)
    torch.distributed.destroy_process_group()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]
