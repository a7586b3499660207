import itertools

import numpy as np
import pytest
import torch
from helpers.small_pillars import write_small_net
from mmengine.config import Config

import pointkd.engine  # noqa: F401  (prepares spconv)
from pointkd.core.errors import ConfigError
from pointkd.engine.complexity import CONV_2D, MATRIX, OTHER, SPARSE, counting, measure_complexity
from pointkd.io.config import load_config
from pointkd.io.images import resized_to


class Net(torch.nn.Module):
    """A net of one part."""

    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, *inputs):
        return self.part(*inputs)


def count(part, *inputs):
    with torch.no_grad(), counting(net := Net(part)) as counts:
        net(*inputs)
    return dict(counts)


@pytest.mark.parametrize(
    ('layer', 'shape', 'kind', 'macs'),
    [
        (torch.nn.Conv2d(6, 8, 3, stride=2, padding=1), (2, 6, 9, 11), CONV_2D, 2 * 5 * 6 * 8 * 6 * 9),
        (torch.nn.Conv2d(6, 6, 3, groups=6, bias=False), (1, 6, 9, 11), CONV_2D, 7 * 9 * 6 * 9),
        (torch.nn.ConvTranspose2d(6, 8, 2, 2), (1, 6, 5, 7), CONV_2D, 5 * 7 * 6 * 8 * 4),
        (torch.nn.Conv1d(3, 5, 1), (2, 3, 10), OTHER, 2 * 10 * 3 * 5),
        (torch.nn.Linear(4, 7), (3, 5, 4), MATRIX, 3 * 5 * 4 * 7),
        (torch.nn.Linear(4, 7, bias=False), (5, 4), MATRIX, 5 * 4 * 7),
        (torch.nn.BatchNorm2d(6), (1, 6, 9, 11), None, 0),
    ],
)
def test_layers_count_as_by_hand(layer, shape, kind, macs):
    assert count(layer.eval(), torch.zeros(shape)) == ({('part', kind): macs} if kind else {})


def test_functional_calls_and_modules_called_twice_count():
    class Part(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(4, 4)

        def forward(self, rows):
            return torch.nn.functional.linear(self.linear(self.linear(rows)), self.linear.weight)

    assert count(Part(), torch.zeros(5, 4)) == {('part', MATRIX): 3 * 5 * 16}


def test_work_outside_the_modules_does_not_count():
    with torch.no_grad(), counting(Net(torch.nn.Linear(4, 4))) as counts:
        torch.zeros(5, 4) @ torch.zeros(4, 4)
    assert not counts


def sparse_tensor(channels, seed=0):
    import spconv.pytorch as spconv

    random = np.random.default_rng(seed)
    shape = (6, 7, 8)
    cells = random.permutation(np.prod(shape))[:60]
    indices = np.stack([np.zeros(60, dtype=int), *np.unravel_index(cells, shape)], axis=1)
    return spconv.SparseConvTensor(torch.zeros(60, channels), torch.from_numpy(indices.astype(np.int32)), shape, 1)


def pairs_by_hand(indices, kernel, stride, padding, submanifold, shape):
    """Input and output sites that a kernel connects, one by one."""
    sites = [tuple(row[1:]) for row in indices.tolist()]
    taken = set(sites)
    pairs = 0
    limits = [(size + 2 * padding - kernel) // stride + 1 for size in shape]
    for site in sites:
        for offset in itertools.product(range(kernel), repeat=3):
            place = [position + padding - step for position, step in zip(site, offset, strict=True)]
            if any(
                value % stride or not 0 <= value // stride < limit for value, limit in zip(place, limits, strict=True)
            ):
                continue
            pairs += not submanifold or tuple(value // stride for value in place) in taken
    return pairs


@pytest.mark.parametrize('key', ['shared', None])
def test_sparse_convolutions_count_their_pairs(key):
    import spconv.pytorch as spconv

    tensor = sparse_tensor(3)
    shape = tensor.spatial_shape
    layer = spconv.SubMConv3d(3, 5, 3, padding=1, indice_key=key)
    assert count(layer, tensor) == {('part', SPARSE): pairs_by_hand(tensor.indices, 3, 1, 1, True, shape) * 15}
    assert layer.indice_key == key
    layer = spconv.SparseConv3d(3, 5, 3, stride=2, padding=1, indice_key=key)
    assert count(layer, tensor) == {('part', SPARSE): pairs_by_hand(tensor.indices, 3, 2, 1, False, shape) * 15}
    assert count(spconv.SubMConv3d(3, 5, 1, indice_key=key), tensor) == {('part', SPARSE): 60 * 15}


def test_an_inverse_convolution_counts_the_pairs_of_its_partner():
    import spconv.pytorch as spconv

    tensor = sparse_tensor(3)
    down = spconv.SparseConv3d(3, 5, 3, stride=2, padding=1, indice_key='down')
    up = spconv.SparseInverseConv3d(5, 2, 3, indice_key='down')
    pairs = pairs_by_hand(tensor.indices, 3, 2, 1, False, tensor.spatial_shape)
    assert count(spconv.SparseSequential(down, up), tensor) == {('part', SPARSE): pairs * (15 + 10)}


def test_a_pillar_net_by_hand(tmp_path):
    result = measure_complexity(load_config(write_small_net(tmp_path).config))
    cells = 16 * 16
    backbone = cells * 9 * (16 * 16 * 2) + cells // 4 * 9 * (16 * 32 + 32 * 32)
    neck = cells * 16 * 16 + cells // 4 * 4 * 32 * 16
    head = cells * 32 * 4 * (2 + 7 + 2)
    assert result.macs(part='backbone') == backbone
    assert result.macs(part='neck') == neck
    assert result.macs(part='bbox_head') == head
    assert result.macs(kind=CONV_2D) == backbone + neck + head
    assert result.macs(part='voxel_encoder') % (8 * 10 * 16) == 0  # all padded points of every pillar
    assert result.params == 22636
    assert result.to_json()['macs'] == sum(part['macs'] for part in result.to_json()['parts'].values())


def test_the_encoder_on_real_points_counts_those(tmp_path):
    config = load_config(write_small_net(tmp_path, voxel_encoder__type='RealPointsPillarFeatureNet').config)
    cloud = np.array([[x, 0.25, -1, 0] for x in (1.1, 1.2, 5.1)], dtype=np.float32)
    result = measure_complexity(config, clouds=[cloud, np.concatenate([cloud, cloud[:1] + np.float32([3, 0, 0, 0])])])
    rows = [3 + 1, 4 + 1]  # and one row for all empty places
    assert [scene['voxel_encoder', MATRIX] for scene in result.scenes] == [count * 10 * 16 for count in rows]
    inputs = result.to_json()['inputs']
    assert (inputs['count'], inputs['macs_max'] - inputs['macs_min']) == (2, 160)


def test_the_image_size_comes_from_the_pipeline():
    resize = dict(type='Resize', scale=(1333, 800))
    assert resized_to(Config(dict(test_pipeline=[resize]))) == (800, 1333)
    with pytest.raises(ConfigError, match='image size'):
        resized_to(Config({}))


def test_an_image_net_by_hand():
    config = load_config('mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py', pretrained=False)
    small = measure_complexity(config, image_size=(64, 64))
    wide = measure_complexity(config, image_size=(64, 128))
    stem = 32 * 32 * 9 * (3 * 32 + 32 * 32 + 32 * 64)
    first_stage = 16 * 16 * 9 * 64 * 64 * 4
    assert small.macs(part='backbone') > stem + first_stage
    assert wide.macs(part='backbone') == 2 * small.macs(part='backbone')


def test_inputs_that_do_not_fit_are_refused(tmp_path):
    config = load_config(write_small_net(tmp_path).config)
    with pytest.raises(ConfigError, match='LiDAR'):
        measure_complexity(config, image_size=(64, 64))
    image = load_config('mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py', pretrained=False)
    with pytest.raises(ConfigError, match='image net'):
        measure_complexity(image, clouds=[np.zeros((5, 4))])


@pytest.mark.long
@pytest.mark.parametrize(
    ('config', 'params', 'macs_conv2d'),
    [
        ('pointpillars/pointpillars_hv_secfpn_8xb6-160e_kitti-3d-3class.py', 4_834_888, 34_173_812_736),
        ('second/second_hv_secfpn_8xb6-80e_kitti-3d-3class.py', 5_325_576, 69_638_553_600),
    ],
)
def test_the_stock_nets_cost_what_is_known(config, params, macs_conv2d):
    result = measure_complexity(load_config(f'mmdet3d::{config}', pretrained=False))
    assert result.params == params
    assert result.macs(kind=CONV_2D) == macs_conv2d
    assert result.macs() >= macs_conv2d
