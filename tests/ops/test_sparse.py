import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from pointkd.ops import sparse, standin
from pointkd.ops.sparse_functions import MaxPool, max_pool_reference, no_contributions

sparse.prepare()
spconv = pytest.importorskip('spconv.pytorch')

TYPES = {  # tolerance of values and feature gradients, of weight gradients
    torch.float64: (1e-10, 1e-10),
    torch.float32: (1e-5, 1e-4),
    torch.float16: (2e-2, 2e-2),
}
FILES = ('subm', 'conv', 'inverse', 'maxpool')
CASES = {
    'subm': ['subm', 'subm_bias', 'subm_crowded', 'subm_one_voxel', 'subm_kernel133', 'subm_empty_sample'],
    'conv': [
        'conv_stride2', 'conv_stride2_bias', 'conv_stride1', 'conv_kernel311',
        'conv_pad011', 'conv_kernel2', 'conv_one_voxel', 'conv_empty_sample',
    ],
    'inverse': ['inverse_k3s2p1', 'inverse_k311', 'inverse_k2s2'],
    'maxpool': ['maxpool_k2', 'maxpool_k3'],
}  # fmt: skip


class Case:
    """One case of a golden file: arrays by name and what the layer is."""

    def __init__(self, golden, file, name):
        arrays = np.load(golden / 'spconv_ops' / f'{file}.npz')
        self.meta = json.loads(str(arrays['meta']))[name]
        self.arrays = {key.split('/', 1)[1]: arrays[key] for key in arrays.files if key.startswith(f'{name}/')}

    def __getitem__(self, key):
        return torch.from_numpy(self.arrays[key])

    def tensor(self, dtype):
        features = self['in.features'].to(dtype).requires_grad_()
        shape, batch = self.meta['spatial_shape'], self.meta['batch_size']
        return spconv.SparseConvTensor(features, self['in.coords'], shape, batch)

    def layers(self, dtype):
        kernel, stride, padding = (self.meta[key] for key in ('kernel', 'stride', 'padding'))
        kind = self.meta['layer'].split('+')[0]
        if kind == 'SparseMaxPool3d':
            return nn.ModuleList([spconv.SparseMaxPool3d(kernel, stride, padding)])
        steps = {} if kind == 'SubMConv3d' else {'stride': stride}
        weights = [self[key] for key in ('in.weight', 'in.weight2') if key in self.arrays]
        sizes = [(weight.shape[-1], weight.shape[0]) for weight in weights]
        convolution = getattr(spconv, kind)(
            *sizes[0], kernel, padding=padding, bias=self.meta['bias'], indice_key='a', **steps
        )
        inverse = [spconv.SparseInverseConv3d(*size, kernel, indice_key='a', bias=False) for size in sizes[1:]]
        layers = nn.ModuleList([convolution, *inverse]).to(dtype)
        with torch.no_grad():
            for layer, weight in zip(layers, weights, strict=True):
                layer.weight.copy_(weight)
            if self.meta['bias']:
                convolution.bias.copy_(self['in.bias'])
        return layers


def order(coords):
    return torch.from_numpy(np.lexsort(coords.numpy().T[::-1]))


def close(value, expected, tolerance):
    scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
    torch.testing.assert_close(value.double(), expected.double(), rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize('dtype', TYPES, ids=str)
@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(('file', 'name'), [(file, name) for file in FILES for name in CASES[file]])
def test_golden(golden, file, name, training, dtype):
    case = Case(golden, file, name)
    values, weights = TYPES[dtype]
    tensor, layers = case.tensor(dtype), case.layers(dtype).train(training)
    output = tensor
    for layer in layers:
        output = layer(output)
    assert output.spatial_shape == case.meta['out_shape']
    coords = case['in.coords'] if file == 'inverse' else case['out.coords']
    found, wanted = order(output.indices), order(coords)
    assert torch.equal(output.indices[found], coords[wanted])
    close(output.features[found], case['out.features'][wanted], values)
    grad = torch.empty_like(output.features)
    grad[found] = case['in.grad_output'][wanted].to(dtype)
    output.features.backward(grad)
    close(tensor.features.grad, case['grad.features'], values)
    if file != 'maxpool':
        close(layers[0].weight.grad, case['grad.weight'], weights)
    if len(layers) > 1:
        close(layers[1].weight.grad, case['grad.weight2'], weights)
    if case.meta['bias']:
        close(layers[0].bias.grad, case['grad.bias'], weights)


def small_encoder(dtype=torch.float32):
    return spconv.SparseSequential(
        spconv.SubMConv3d(4, 8, 3, padding=1, bias=False, indice_key='a'),
        nn.ReLU(),
        spconv.SparseConv3d(8, 12, 3, stride=2, padding=1, bias=False),
        nn.ReLU(),
        spconv.SubMConv3d(12, 12, 3, padding=1, bias=False, indice_key='b'),
        nn.ReLU(),
        spconv.SparseConv3d(12, 10, (3, 1, 1), stride=(2, 1, 1), bias=False),
        spconv.ToDense(),
    ).to(dtype)


@pytest.mark.parametrize('dtype', list(TYPES)[:2], ids=str)
def test_golden_encoder(golden, dtype):
    case = Case(golden, 'encoder', 'encoder')
    values, weights = TYPES[dtype]
    encoder, tensor = small_encoder(dtype), case.tensor(dtype)
    with torch.no_grad():
        for number in range(4):
            encoder[2 * number].weight.copy_(case[f'in.weight{number}'])
    dense = encoder(tensor)
    close(dense, case['out.dense'], values)
    dense.backward(case['in.grad_output'].to(dtype))
    close(tensor.features.grad, case['grad.features'], weights)
    for number in range(4):
        close(encoder[2 * number].weight.grad, case[f'grad.weight{number}'], weights)


def cloud(voxels=40, channels=4, batch=2, dtype=torch.float32, shape=(6, 8, 8)):
    generator = torch.Generator().manual_seed(voxels)
    sites = torch.cartesian_prod(torch.arange(batch), *map(torch.arange, shape))
    chosen = sites[torch.randperm(len(sites), generator=generator)[:voxels]].int()
    features = torch.randn(voxels, channels, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    return spconv.SparseConvTensor(features, chosen, shape, batch)


def test_layers_built_for_cuda_run_on_the_cpu():
    expected = small_encoder()
    layers = small_encoder()
    layers.load_state_dict(expected.state_dict())
    for layer in layers:
        if hasattr(layer, 'algo'):
            layer.algo = spconv.ConvAlgo.MaskImplicitGemm
    assert torch.equal(layers(cloud()), expected(cloud()))
    assert layers[0].cuda_algo == spconv.ConvAlgo.MaskImplicitGemm  # kept for when the layer moves to a GPU


@pytest.mark.parametrize('training', [True, False])
def test_bias_in_both_modes(training):
    layer = spconv.SubMConv3d(4, 3, 3, bias=True).train(training)
    output = layer(cloud())
    output.features.sum().backward()
    assert layer.bias.grad.tolist() == [40.0] * 3


@pytest.mark.parametrize('voxels', [0, 1])
@pytest.mark.parametrize('training', [True, False])
def test_few_voxels(voxels, training, capfd):
    layers = spconv.SparseSequential(
        spconv.SubMConv3d(4, 5, 3, indice_key='a'),
        spconv.SubMConv3d(5, 5, 3, indice_key='a'),
        spconv.SparseConv3d(5, 6, 3, stride=2, padding=1, indice_key='b'),
        spconv.SparseInverseConv3d(6, 5, 3, indice_key='b'),
        spconv.SparseMaxPool3d(2, 2),
        spconv.SparseConvTranspose3d(5, 3, 2, stride=2),
        spconv.ToDense(),
    ).train(training)
    tensor = cloud(voxels)
    dense = layers(tensor)
    assert dense.shape == (2, 3, 6, 8, 8)
    dense.sum().backward()
    assert tensor.features.grad.shape == (voxels, 4)
    for name, parameter in layers.named_parameters():
        assert parameter.grad is not None, name
        assert voxels or not parameter.grad.any()
    assert 'Exception' not in ''.join(capfd.readouterr())


def test_nothing_left_after_a_stride():
    tensor = spconv.SparseConvTensor(
        torch.randn(2, 4, requires_grad=True), torch.tensor([[0, 7, 1, 1], [1, 7, 2, 2]]).int(), [8, 8, 8], 2
    )
    down = spconv.SparseConv3d(4, 5, 3, stride=2, indice_key='a', bias=False)
    up = spconv.SparseInverseConv3d(5, 3, 3, indice_key='a', bias=False)
    middle = down(tensor)
    assert middle.features.shape == (0, 5)
    assert middle.dense().shape == (2, 5, 3, 3, 3)
    output = up(middle)
    assert output.features.tolist() == [[0.0] * 3] * 2
    output.features.sum().backward()
    assert not any(leaf.grad.any() for leaf in (tensor.features, down.weight, up.weight))
    pooled = spconv.SparseMaxPool3d(3, 2)(tensor)
    assert pooled.features.shape == (0, 4)
    pooled.features.sum().backward()


@pytest.mark.parametrize('features', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('weights', [torch.float32, torch.bfloat16])
def test_autocast_computes_in_float32(features, weights):
    layers = small_encoder(weights)
    tensor = cloud(dtype=features)
    wide = small_encoder()
    wide.load_state_dict(layers.state_dict())
    expected = wide(tensor.replace_feature(tensor.features.detach().float()))
    with torch.autocast('cpu', torch.bfloat16):
        output = layers(tensor)
        output.sum().backward()  # under autocast too
    assert output.dtype == torch.float32
    assert torch.equal(output, expected)
    expected.sum().backward()
    for value, wanted in zip(layers.parameters(), wide.parameters(), strict=True):
        assert value.grad.dtype == weights
        close(value.grad, wanted.grad, 1e-2 if weights == torch.bfloat16 else 1e-6)
    assert tensor.features.grad.dtype == features


def test_max_pool_of_negative_numbers():
    tensor = cloud(dtype=torch.bfloat16)
    pooled = spconv.SparseMaxPool3d(6, 1)(tensor.replace_feature(-1 - tensor.features.abs()))
    assert pooled.features.dtype == torch.float32
    assert (pooled.features < 0).all()


def pairs_of(sources, targets):
    """A neighbour table with one pair a tap, so that any pairs are allowed."""
    return torch.stack([sources, targets])[:, :, None].int(), torch.ones(len(sources), dtype=torch.int32)


def test_max_pool_equals_the_reference():
    features = torch.randn(10, 3, dtype=torch.float64, requires_grad=True)
    sources, targets = torch.randint(0, 10, (30,)), torch.arange(30) % 7
    output = MaxPool.apply(features, *pairs_of(sources, targets), 7)
    expected = max_pool_reference(features, sources, targets, 7)
    assert torch.equal(output, expected)
    assert gradcheck(lambda f: MaxPool.apply(f, *pairs_of(torch.arange(10), torch.arange(10) % 4), 4), features)


def test_no_contributions_reach_every_input():
    leaves = [torch.full((3, 2), torch.inf, requires_grad=True), torch.zeros(0, 5, requires_grad=True)]
    output = no_contributions(4, 6, *leaves)
    assert output.tolist() == [[0.0] * 6] * 4
    output.sum().backward()
    assert not leaves[0].grad.any()
    assert leaves[1].grad.shape == (0, 5)


def test_dense_equals_scattering():
    tensor = cloud()
    dense = tensor.dense()
    assert dense.shape == (2, 4, 6, 8, 8)
    batch, z, y, x = tensor.indices.long().T
    assert torch.equal(dense[batch, :, z, y, x], tensor.features)
    assert int(dense.count_nonzero()) == tensor.features.numel()


def run(code):
    """Run code in a fresh interpreter and return what it writes."""
    result = subprocess.run([sys.executable, '-c', textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout, result.stderr


@pytest.mark.long
def test_import_is_quiet():
    output, errors = run("""
        import pointkd.ops.sparse, torch
        pointkd.ops.sparse.prepare()
        pointkd.ops.sparse.prepare()
        import spconv.pytorch as spconv
        from spconv.pytorch import conv
        assert conv.CPU_ONLY_BUILD != torch.cuda.is_available()
        tensor = spconv.SparseConvTensor(torch.ones(1, 2), torch.zeros(1, 4).int(), [2, 2, 2], 1)
        spconv.SubMConv3d(2, 3, 3)(tensor).dense()
    """)
    assert output == errors == ''


@pytest.mark.long
def test_after_mmdet3d():
    run("""
        from pointkd.ops import sparse, standin
        standin.install()
        import mmdet3d.models, torch
        from mmdet3d.models.layers.spconv import IS_SPCONV2_AVAILABLE
        assert IS_SPCONV2_AVAILABLE
        encoder = mmdet3d.models.SparseEncoder(4, [41, 16, 16])
        sparse.prepare()
        coors = torch.tensor([[0, 0, 0, 0], [0, 20, 8, 8]], dtype=torch.int32)
        encoder(torch.ones(2, 4), coors, 1).sum().backward()
    """)


@pytest.fixture(scope='module')
def encoders():
    """Two mmdet3d encoders with different weights; all of the first layer's sizes are 3."""
    standin.install()
    from mmdet3d.models import SparseEncoder

    def build():
        return SparseEncoder(
            3, [9, 16, 16], base_channels=3, encoder_channels=((3,), (4,)), encoder_paddings=((1,), (1,))
        )

    return build(), build()


def same(model, other):
    return [name for name, value in model.state_dict().items() if torch.equal(value, other.state_dict()[name])]


def test_plain_dicts_lose_the_layout(encoders):
    source, target = encoders
    plain = dict(source.state_dict())
    with pytest.raises(RuntimeError, match='size mismatch'):
        target.load_state_dict(plain)
    square = {'weight': source.conv_input[0].weight}
    target.conv_input[0].load_state_dict(square, strict=True)  # no error: the weights are permuted
    assert not torch.equal(target.conv_input[0].weight, source.conv_input[0].weight)


@pytest.mark.parametrize('keep', ['nothing', 'metadata of a wrapper'])
def test_with_metadata_loads_weights_as_they_are(encoders, keep):
    source, target = encoders
    plain = dict(source.state_dict())
    if keep != 'nothing':
        wrapped = nn.ModuleDict({'student': source}).state_dict()
        plain = type(wrapped)((name.removeprefix('student.'), value) for name, value in wrapped.items())
        plain._metadata = wrapped._metadata  # its names still begin with `student.`
    target.load_state_dict(sparse.with_metadata(target, plain), strict=True)
    assert same(target, source) == list(source.state_dict())


def test_with_metadata_leaves_the_older_layout_to_mmdet3d(encoders):
    source, target = encoders
    older = {
        name: value.permute(*range(1, value.ndim), 0) if value.ndim == 5 else value
        for name, value in source.state_dict().items()
    }
    target.load_state_dict(sparse.with_metadata(target, older), strict=True)
    assert same(target, source) == list(source.state_dict())


def test_with_metadata_of_a_dense_net():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    weights = dict(net.state_dict())
    restored = sparse.with_metadata(net, weights)
    assert dict(restored) == weights
    assert not hasattr(weights, '_metadata')
    net.load_state_dict(restored, strict=True)


def test_indices_with_strides_give_the_same_result():
    """`torch.nonzero(...)` gives such a tensor; spconv alone computes silently wrong features from it."""
    from spconv.pytorch import SparseConvTensor, SubMConv3d

    torch.manual_seed(0)
    occupied = torch.zeros(1, 4, 4, 4, dtype=torch.bool)
    occupied[0, torch.arange(4), torch.arange(4), 1] = True
    occupied[0, 1, 2, :] = True
    strided = torch.nonzero(occupied).int()
    indices = strided.t().contiguous().t() if strided.is_contiguous() else strided
    assert not indices.is_contiguous()
    layer = SubMConv3d(3, 5, 3, bias=False)
    features = torch.randn(len(indices), 3)
    results = [
        layer(SparseConvTensor(features, rows, [4, 4, 4], 1)).features for rows in (indices, indices.contiguous())
    ]
    assert torch.equal(*results)
