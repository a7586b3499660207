"""What is replaced before tracing gives the same values, at every size."""

from __future__ import annotations

import copy

import pytest
import torch
from helpers.segmentors import segmentor
from torch import nn

from pointkd.export.traceable import Attention, AveragePool, Upscale, make_traceable, pooling_matrix
from pointkd.io.build import build_model


@pytest.mark.parametrize('size', [(1, 1), (2, 2), (3, 3), (6, 6), (2, 5)])
@pytest.mark.parametrize('shape', [(1, 1), (6, 6), (7, 13), (12, 5), (4, 9)])
def test_pooling_is_torchs(size: tuple[int, int], shape: tuple[int, int]) -> None:
    values = torch.randn(2, 3, *shape, dtype=torch.float64)
    torch.testing.assert_close(AveragePool(size)(values), nn.functional.adaptive_avg_pool2d(values, size))
    torch.testing.assert_close(pooling_matrix(values, 2, size[0]).sum(1), torch.ones(size[0], dtype=torch.float64))


@pytest.mark.parametrize('batch_first', [False, True])
@pytest.mark.parametrize('bias', [False, True])
def test_attention_is_torchs(batch_first: bool, bias: bool) -> None:
    stock = nn.MultiheadAttention(12, 3, bias=bias, batch_first=batch_first).double().eval()
    query, key = torch.randn(4, 6, 12, dtype=torch.float64), torch.randn(4, 6, 12, dtype=torch.float64)
    if not batch_first:
        key = torch.randn(9, 6, 12, dtype=torch.float64)
    ours, weights = Attention(stock)(query, key, key)
    torch.testing.assert_close(ours, stock(query, key, key)[0])
    assert weights is None


def test_upscaling_is_by_the_factor() -> None:
    from mmseg.models.utils import Upsample

    stock = Upsample(scale_factor=4, mode='bilinear', align_corners=False)
    values = torch.randn(1, 2, 3, 5)
    torch.testing.assert_close(Upscale(stock)(values), stock(values))


@pytest.mark.parametrize('shape', [(64, 96), (40, 56), (97, 131)])
def test_interlaced_attention_pads_as_mmseg(shape: tuple[int, int]) -> None:
    network = build_model(segmentor('isanet-r18_cityscapes'))
    image = torch.randn(2, 3, *shape)
    with torch.no_grad():
        features = network.extract_feat(image)
        head = make_traceable(copy.deepcopy(network).decode_head)
        torch.testing.assert_close(head(features), network.decode_head(features))


def test_the_net_itself_stays_as_it_is() -> None:
    network = build_model(segmentor('pspnet-r18_cityscapes'))
    make_traceable(copy.deepcopy(network))
    assert not [module for module in network.modules() if isinstance(module, AveragePool)]
