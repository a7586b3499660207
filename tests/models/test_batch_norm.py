"""A linear layer with its batch norm folded in, against torch's layers; statistics over two processes."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from helpers.sync_norm import make_layers, make_rows, one_process
from torch import multiprocessing, nn
from torch.nn.functional import linear as linear_map

from pointkd.models.batch_norm import folded


@pytest.mark.parametrize(
    'options', [{}, {'momentum': None}, {'affine': False}, {'track_running_stats': False}, {'eps': 1e-3}]
)
def test_equals_torch_over_three_steps_and_in_evaluation(options: dict) -> None:
    layer, norm = make_layers(nn.BatchNorm1d(5, **options))
    reference = copy.deepcopy(norm)
    for step in range(3):
        rows = make_rows() * (step + 1)
        expected = reference(layer(rows))
        torch.testing.assert_close(linear_map(rows, *folded(layer, norm, rows)), expected, rtol=1e-9, atol=1e-9)
    for name, value in reference.state_dict().items():
        torch.testing.assert_close(norm.state_dict()[name], value, rtol=1e-10, atol=1e-10)
    layer.eval(), norm.eval(), reference.eval()
    rows = make_rows(7)
    torch.testing.assert_close(linear_map(rows, *folded(layer, norm, rows)), reference(layer(rows)))


def test_a_frozen_norm_in_a_training_net_keeps_its_statistics() -> None:
    layer, norm = make_layers(nn.BatchNorm1d(5))
    norm.eval()
    folded(layer, norm, make_rows())
    assert norm.num_batches_tracked == 0
    assert not norm.running_mean.any()


def test_columns_that_do_not_vary_give_a_finite_map() -> None:
    layer, norm = make_layers(nn.BatchNorm1d(5))
    weight, bias = folded(layer, norm, torch.full((9, 4), 3.0, dtype=torch.float64))
    assert torch.isfinite(weight).all()
    assert torch.isfinite(bias).all()


def test_two_processes_equal_one_with_all_rows(tmp_path: Path) -> None:
    multiprocessing.spawn(one_process, (str(tmp_path),), nprocs=2)
    (first, second) = (torch.load(tmp_path / f'{rank}.pt') for rank in range(2))
    layer, norm = make_layers(nn.BatchNorm1d(5))
    rows = make_rows().requires_grad_()
    output = norm(layer(rows))
    output.square().sum().backward()
    torch.testing.assert_close(torch.cat([first[0], second[0]]), output)
    torch.testing.assert_close(torch.cat([first[1], second[1]]), rows.grad)
    torch.testing.assert_close(first[2] + second[2], layer.weight.grad)
    torch.testing.assert_close(first[3], norm.running_var)
    torch.testing.assert_close(second[3], norm.running_var)
