"""A folded batch norm in a process of its own, for the test of statistics over two processes."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import linear as linear_map

from pointkd.models.batch_norm import folded


def make_layers(norm: nn.Module, channels: int = 5) -> tuple[nn.Linear, nn.Module]:
    """Return a layer without bias and its norm with weights that are not the initial ones."""
    torch.manual_seed(0)
    layer = nn.Linear(4, channels, bias=False)
    if norm.affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return layer.double(), norm.double()


def make_rows(count: int = 40) -> Tensor:
    """Return rows whose mean is far from zero in comparison with their spread."""
    generator = torch.Generator().manual_seed(1)
    return 30 + torch.randn(count, 4, dtype=torch.float64, generator=generator)


def one_process(rank: int, folder: str) -> None:
    """Run a synchronised norm on this process's share of the rows and store output, statistics and gradient."""
    distributed.init_process_group('gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
    layer, norm = make_layers(nn.SyncBatchNorm(5))
    rows = make_rows()[:13] if rank == 0 else make_rows()[13:]
    rows.requires_grad_()
    output = linear_map(rows, *folded(layer, norm, rows))
    output.square().sum().backward()
    torch.save((output.detach(), rows.grad, layer.weight.grad, norm.running_var), f'{folder}/{rank}.pt')
    distributed.destroy_process_group()
