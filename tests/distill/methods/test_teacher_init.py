"""TeacherInit: the student gets the right cuts of the teacher's weights, and loses nothing with silent channels."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from helpers.nets import pillars_config, raw_batch, whole_config
from torch import nn

import pointkd.engine
import pointkd.models.pillars  # noqa: F401 - registers its encoder
from pointkd.core.errors import ConfigError
from pointkd.distill.methods._provenance import trace
from pointkd.distill.methods.teacher_init import TeacherInit
from pointkd.io.build import build_model
from pointkd.io.config import load_config

CONFIGS = Path(__file__).parents[3] / 'configs'
PILLARS = [0, -5.12, -3, 10.24, 5.12, 1]  # 64 x 64 pillars of 0.16 m
VOXELS = [0, -3.2, -3, 6.4, 3.2, 1]  # 128 x 128 voxels of 0.05 m


def small(name, **widths):
    """The model of one of our configs on a small range, with other widths where given."""
    model = load_config(CONFIGS / f'{name}.py')['model']
    limits, cells = (PILLARS, [64, 64]) if 'pillars' in name else (VOXELS, [41, 128, 128])
    model['data_preprocessor']['voxel_layer']['point_cloud_range'] = limits
    if 'pillars' in name:
        model['voxel_encoder']['point_cloud_range'] = limits
    model['middle_encoder']['output_shape' if 'pillars' in name else 'sparse_shape'] = cells
    for part, changes in widths.items():
        model[part].update(changes)
    return model


SECOND_16X = dict(
    middle_encoder=dict(
        base_channels=4, encoder_channels=((4,), (8, 8, 8), (16, 16, 16), (16, 16, 16)), output_channels=32
    ),
    backbone=dict(in_channels=64, out_channels=[32, 64]),
    neck=dict(in_channels=[32, 64], out_channels=[64, 64]),
    bbox_head=dict(in_channels=128, feat_channels=128),
)
PAIRS = {
    'PointPillars 4x': ('pointpillars/pointpillars_kitti-3class', 'pointpillars/pointpillars-4x_kitti-3class', {}),
    'PointPillars 16x': ('pointpillars/pointpillars_kitti-3class', 'pointpillars/pointpillars-16x_kitti-3class', {}),
    'SECOND 4x': ('second/second_kitti-3class', 'second/second-4x_kitti-3class', {}),
    'SECOND 16x': ('second/second_kitti-3class', 'second/second_kitti-3class', SECOND_16X),
}


def nets(pair):
    """The teacher and the student of the paper, and a raw batch for them."""
    wide, narrow, widths = PAIRS[pair]
    return (
        network(small(wide), 1),
        network(small(narrow, **widths), 2),
        batch(PILLARS if 'Pillars' in pair else VOXELS),
    )


def network(model, seed):
    """Build a net whose norms are not all ones."""
    torch.manual_seed(seed)
    net = build_model(whole_config(model))
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return net


def batch(limits, samples=1, points=400):
    """A raw batch that fills a range."""
    generator = torch.Generator().manual_seed(3)
    low, high = torch.tensor(limits[:3]), torch.tensor(limits[3:])
    clouds = [torch.rand(points, 4, generator=generator) for _ in range(samples)]
    for cloud in clouds:
        cloud[:, :3] = cloud[:, :3] * (high - low) + low
    return {'inputs': {'points': clouds}, 'data_samples': None}


def outputs(net, raw):
    """The raw head maps."""
    with torch.no_grad():
        data = net.data_preprocessor(copy.deepcopy(raw), False)
        maps = net(data['inputs'], data.get('data_samples'), mode='tensor')
    return [level for part in maps for level in part]


def silence(teacher, run, selection):
    """Make half of the channels behind each norm say nothing."""
    seen = trace(teacher, run)
    generator = torch.Generator().manual_seed(5)
    state = teacher.state_dict()
    for path, sources in seen.norms.items():
        quiet = torch.randperm(len(sources), generator=generator)[: len(sources) // 2]
        for kind in ('weight', 'bias'):
            state[f'{path}.{kind}'][quiet] = 0
        if selection == 'l1':
            for channel in quiet.tolist():
                ((layer, output),) = sources[channel]
                state[f'{layer}.weight'].select(seen.layers[layer].out_axis, output).zero_()


@pytest.mark.parametrize('pair', PAIRS)
def test_first_channels_of_the_paper_s_nets(pair):
    teacher, student, raw = nets(pair)
    TeacherInit().start(student, teacher, raw)
    source = teacher.state_dict()
    for name, tensor in student.state_dict().items():
        expected = source[name]
        if name.startswith('bbox_head.conv') and name.endswith('weight'):
            # the head reads the levels of the neck side by side: the first channels of each
            levels = 3 if 'Pillars' in pair else 2
            parts = expected.chunk(levels, dim=1)
            expected = torch.cat([part[:, : tensor.shape[1] // levels] for part in parts], dim=1)
        assert torch.equal(tensor, expected[tuple(slice(0, length) for length in tensor.shape)]), name


@pytest.mark.parametrize('selection', ['bn_scale', 'l1'])
@pytest.mark.parametrize('pair', ['PointPillars 4x', 'SECOND 4x'])
def test_a_teacher_with_silent_channels_is_equalled(pair, selection):
    teacher, student, raw = nets(pair)

    def run(net):
        data = net.data_preprocessor(copy.deepcopy(raw), False)
        net(data['inputs'], None, mode='tensor')

    silence(teacher, run, selection)
    TeacherInit(selection=selection).start(student, teacher, raw)
    for ours, theirs in zip(outputs(student, raw), outputs(teacher, raw), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4 * float(theirs.abs().max()))


@pytest.mark.parametrize('selection', ['first', 'bn_scale', 'l1'])
def test_equal_widths_copy_the_teacher(selection):
    teacher, student = network(pillars_config(8), 1), network(pillars_config(8), 2)
    TeacherInit(selection=selection).start(student.train(), teacher, raw_batch())
    ours, theirs = student.state_dict(), teacher.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert student.training


def test_encoder_of_two_layers_with_folded_norms():
    wide, narrow = pillars_config(8), pillars_config(4)
    for model, width in ((wide, 8), (narrow, 4)):
        model['voxel_encoder'].update(type='RealPointsPillarFeatureNet', feat_channels=[width, width])
    teacher, student = network(wide, 1), network(narrow, 2)
    TeacherInit().start(student, teacher, raw_batch())
    ours, theirs = student.voxel_encoder.pfn_layers, teacher.voxel_encoder.pfn_layers
    assert torch.equal(ours[0].linear.weight, theirs[0].linear.weight[: ours[0].linear.out_features])
    half = theirs[1].linear.weight[:4].chunk(2, dim=1)  # for features, and for their maximum beside them
    expected = torch.cat([part[:, : ours[0].linear.out_features] for part in half], dim=1)
    assert torch.equal(ours[1].linear.weight, expected)
    assert torch.equal(ours[1].norm.running_mean, theirs[1].norm.running_mean[:4])


class Residual(nn.Module):
    """A toy with a residual sum, a shared head over two levels, and a data preprocessor that does nothing."""

    def __init__(self, width, outputs=3, inner=None, groups=1):
        super().__init__()
        self.stem = nn.Conv2d(2, width, 3, padding=1)
        self.one = nn.Conv2d(width, inner or width, 3, padding=1)
        self.two = nn.Conv2d(inner or width, width, 3, padding=1, groups=groups)
        self.norm = nn.BatchNorm2d(width)
        self.down = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.head = nn.Conv2d(width, outputs, 1)
        self.offset = nn.Parameter(torch.zeros(3))

    def data_preprocessor(self, batch, training):
        return batch

    def forward(self, inputs, data_samples=None, mode='tensor'):
        x = self.stem(inputs).relu()
        x = (x + self.norm(self.two(self.one(x).relu()))).relu()
        return self.head(x), self.head(self.down(x))


IMAGES = {'inputs': torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(0))}


def toys(wide, narrow):
    torch.manual_seed(0)
    return Residual(**wide).eval(), Residual(**narrow).eval()


def test_channels_that_are_added_or_read_together_are_chosen_together():
    teacher, student = toys(dict(width=8, inner=10), dict(width=4, inner=5))
    quiet = [0, 3, 4, 6]
    with torch.no_grad():
        for layer in (teacher.stem, teacher.two, teacher.down):  # one class: summed, then read by one head
            layer.weight[quiet], layer.bias[quiet] = 0, 0
        teacher.norm.weight[quiet] = teacher.norm.bias[quiet] = 0
        teacher.one.weight[[1, 2, 5, 8, 9]] = teacher.one.bias[[1, 2, 5, 8, 9]] = 0
    TeacherInit(selection='l1').start(student, teacher, IMAGES)
    for ours, theirs in zip(student(IMAGES['inputs']), teacher(IMAGES['inputs']), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
    kept = [1, 2, 5, 7]
    assert torch.equal(student.two.weight, teacher.two.weight[kept][:, [0, 3, 4, 6, 7]])
    assert torch.equal(student.norm.running_var, teacher.norm.running_var[kept])


@pytest.mark.parametrize(
    ('wide', 'narrow', 'words'),
    [
        (dict(width=4), dict(width=8), 'the student has 8 channels'),
        (dict(width=8), dict(width=4, outputs=2), 'the outputs of head differ'),
        (dict(width=8, groups=2), dict(width=4, groups=2), 'grouped'),
    ],
)
def test_networks_that_differ_in_more_than_widths_are_refused(wide, narrow, words):
    teacher, student = toys(wide, narrow)
    with pytest.raises(ConfigError, match=words):
        TeacherInit().start(student, teacher, IMAGES)


def test_what_can_t_be_done_is_said():
    teacher, student = toys(dict(width=8, inner=8), dict(width=8, inner=4))
    with pytest.raises(ConfigError, match="no norm follows one, so there is no scale to select by; use 'l1'"):
        TeacherInit(selection='bn_scale').start(student, teacher, IMAGES)
    with pytest.raises(ConfigError, match='needs a batch'):
        TeacherInit().start(student, teacher)
    student.extra = nn.Linear(2, 2)
    with pytest.raises(ConfigError, match=r'the teacher has no extra\.weight'):
        TeacherInit().start(student, teacher, IMAGES)
    del student.extra
    student.offset = nn.Parameter(torch.zeros(2))
    with pytest.raises(ConfigError, match='offset is'):
        TeacherInit().start(student, teacher, IMAGES)
