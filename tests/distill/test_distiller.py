"""The Distiller is the student, and learns from the teacher."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from helpers.nets import pillars_config, raw_batch, whole_config, write_teacher
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from pointkd.core.errors import CheckpointError, ConfigError, TrainingError
from pointkd.distill.distiller import Distiller
from pointkd.distill.features import Voxels
from pointkd.distill.inputs import same_preprocessing
from pointkd.io.build import build_model, build_module

MIMIC = dict(type='FeatureMimic', student='voxel_encoder')


@pytest.fixture(scope='module')
def teacher(tmp_path_factory):
    """`distill.teacher` of a net of width 8."""
    return write_teacher(tmp_path_factory.mktemp('teacher'), pillars_config(8))


def distiller(teacher, *methods, width=4, seed=1, **changes):
    """Build a Distiller around a student, weights by seed."""
    model = pillars_config(width, **changes)
    torch.manual_seed(seed)
    built = Distiller(model, dict(teacher=teacher, methods=list(methods)), whole_config(model))
    built.init_weights()
    return built


def step(model, batch, lr=0.1):
    """One training step; returns the log."""
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=lr))
    return model.train_step(copy.deepcopy(batch), wrapper)


def losses_of(model, batch):
    """Return the loss dict of a batch."""
    data = model.data_preprocessor(copy.deepcopy(batch), True)
    return model(**data, mode='loss')


def test_state_dict_is_the_plain_students_and_loads_strictly(teacher):
    model = distiller(teacher, MIMIC)
    plain = build_model(whole_config(pillars_config(4)))
    state = model.state_dict()
    assert list(state) == list(plain.state_dict())
    assert state._metadata.keys() == plain.state_dict()._metadata.keys()
    plain.load_state_dict(state, strict=True)
    assert any(name.startswith('adapters.') for name, _ in model.named_parameters())
    changed = {name: value + 1 for name, value in state.items()}
    adapters = copy.deepcopy(model.adapters.terms[0].state())
    model.load_state_dict(changed, strict=True)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in changed.items())
    assert torch.equal(
        model.adapters.terms[0].state()['adapters']['connectors.0.linear.weight'],
        adapters['adapters']['connectors.0.linear.weight'],
    )


def test_without_methods_it_trains_exactly_as_the_plain_student(teacher):
    batch = raw_batch()
    results = []
    for build in (
        lambda: Distiller(pillars_config(4), dict(methods=[])),
        lambda: plain_student(),
    ):
        torch.manual_seed(3)
        model = build()
        model.init_weights()
        model.train()
        for _ in range(3):
            step(model, batch)
        results.append((model.state_dict(), torch.random.get_rng_state()))
    (ours, our_random), (plain, plain_random) = results
    assert all(torch.equal(ours[name], plain[name]) for name in plain)
    assert torch.equal(our_random, plain_random)


def plain_student():
    return build_module(ConfigDict(pillars_config(4)), 'mmdet3d')


def test_a_method_does_not_change_the_students_start(teacher):
    with_method, without = distiller(teacher, MIMIC), distiller(None)
    for name, value in without.state_dict().items():
        assert torch.equal(value, with_method.state_dict()[name]), name


def test_losses_are_the_students_plus_the_terms(teacher):
    batch = raw_batch()
    model = distiller(teacher, MIMIC, dict(type='FeatureMimic', student='neck', weight=2.0))
    plain = distiller(None)
    ours, theirs = losses_of(model.train(), batch), losses_of(plain.train(), batch)
    for name, value in theirs.items():
        for one, other in zip(value, ours[name], strict=True):
            assert torch.equal(one, other)
    assert set(ours) - set(theirs) >= {'loss_feature_mimic', 'loss_feature_mimic_2', 'feature_mimic/weight'}
    assert float(ours['feature_mimic_2/weight']) == 2.0
    assert float(ours['loss_feature_mimic']) > 0


def test_training_reaches_student_and_adapters_but_never_the_teacher(teacher):
    batch = raw_batch()
    model = distiller(teacher, MIMIC, dict(type='FeatureMimic', student='backbone', weight=1.0)).train()
    before = copy.deepcopy(model.teacher.network.state_dict())
    log = [float(step(model, batch, 0.05)['loss_feature_mimic']) for _ in range(15)]
    assert log[-1] < log[0]
    assert not model.teacher.network.training
    for name, value in model.teacher.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    names = [name for name, _ in model.named_parameters()]
    assert len(names) == len(set(names))
    ours = {id(parameter) for parameter in model.parameters()}
    assert not ours & {id(parameter) for parameter in model.teacher.network.parameters()}


def test_equal_teacher_gives_zero_loss(tmp_path):
    """A student with the teacher's weights, in eval mode as the teacher is, has nothing to learn."""
    block = write_teacher(tmp_path, pillars_config(8))
    model = distiller(block, MIMIC, width=8)
    model.load_state_dict(model.teacher.network.state_dict())
    model.train()
    for module in model.student.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
    assert float(losses_of(model, raw_batch())['loss_feature_mimic']) == 0.0


def test_schedule_and_progress(teacher):
    batch = raw_batch()
    block = {**MIMIC, 'schedule': dict(type='Until', end=5)}
    model = distiller(teacher, block).train()
    model.set_progress(4, 10)
    assert float(losses_of(model, batch)['loss_feature_mimic']) > 0
    model.set_progress(5, 10)
    ran = []
    model.teacher.network.register_forward_hook(lambda *_: ran.append(1))
    off = losses_of(model, batch)
    assert float(off['loss_feature_mimic']) == 0.0
    assert off['loss_feature_mimic'].requires_grad  # the connector stays in the graph, for DDP
    assert not ran


def test_share_sets_the_gradient_ratio(teacher):
    model = distiller(teacher, {**MIMIC, 'share': 0.5}).train()
    features = []
    model.student.voxel_encoder.register_forward_hook(lambda _, __, output: features.append(output))
    losses = losses_of(model, raw_batch())
    term = losses.pop('loss_feature_mimic')
    task, _ = model.parse_losses(losses)
    norms = [torch.autograd.grad(loss, features, retain_graph=True)[0].norm() for loss in (term, task)]
    assert float(norms[0] / norms[1]) == pytest.approx(0.5, rel=1e-4)


def test_other_voxel_size_is_matched_by_coordinate(tmp_path):
    block = write_teacher(tmp_path, pillars_config(8, voxel=1.0))
    model = distiller(block, MIMIC, width=8).train()
    assert not same_preprocessing(pillars_config(8), pillars_config(8, voxel=1.0))
    data = model.data_preprocessor(raw_batch(), True)
    assert data['teacher_batch']['inputs']['voxels']['coors'].shape != data['inputs']['voxels']['coors'].shape
    losses = model(**data, mode='loss')
    assert float(losses['loss_feature_mimic']) > 0
    assert 'teacher_batch' not in model.eval().data_preprocessor(raw_batch(), False)


def test_predictions_are_the_students(teacher):
    model = distiller(teacher, MIMIC).eval()
    plain = build_model(whole_config(pillars_config(4)))
    plain.load_state_dict(model.state_dict())
    ours, theirs = model.test_step(raw_batch()), plain.test_step(raw_batch())
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.pred_instances_3d.scores_3d, other.pred_instances_3d.scores_3d)
        assert torch.equal(one.pred_instances_3d.bboxes_3d.tensor, other.pred_instances_3d.bboxes_3d.tensor)


def test_copy_shares_the_teacher_and_nothing_else(teacher):
    model = distiller(teacher, MIMIC)
    twin = copy.deepcopy(model)
    assert twin.teacher is model.teacher
    assert twin._modules is twin.student._modules
    with torch.no_grad():
        next(iter(twin.parameters())).add_(1)
    assert not torch.equal(next(iter(twin.parameters())), next(iter(model.parameters())))
    assert model.with_neck is True  # attributes of the student are reached
    with pytest.raises(AttributeError):
        _ = model.no_such_thing


def test_extra_state_round_trip_and_refusals(teacher, tmp_path):
    batch = raw_batch()
    model = distiller(teacher, {**MIMIC, 'share': 0.5}).train()
    step(model, batch)
    state = copy.deepcopy(model.extra_state())
    other = distiller(teacher, {**MIMIC, 'share': 0.5}, seed=5).train()
    other.load_extra_state(state)
    other.load_state_dict(model.state_dict())
    one, two = losses_of(model, batch), losses_of(other, batch)
    assert torch.equal(one['loss_feature_mimic'], two['loss_feature_mimic'])
    with pytest.raises(CheckpointError, match='terms'):
        distiller(teacher).load_extra_state(state)
    elsewhere = write_teacher(tmp_path, pillars_config(8), seed=9)
    with pytest.raises(CheckpointError, match='another teacher'):
        distiller(elsewhere, {**MIMIC, 'share': 0.5}).load_extra_state(state)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(methods=[dict(type='FeatureMimick', student='neck')]), "did you mean 'FeatureMimic'"),
        (dict(methods=[dict(type='FeatureMimic', student='nekc')]), "did you mean 'neck'"),
        (dict(methods=[dict(type='FeatureMimic', student='neck', wieght=1)]), 'did you mean'),
        (dict(methods=[dict(type='FeatureMimic')]), 'needs a tap'),
        (dict(methods=[dict(type='ChannelWise', student='voxel_encoder', tau=1.0)]), 'works on Map'),
        (dict(methods=[MIMIC], mehtods=[]), "unknown key 'mehtods'"),
        (dict(methods=[{**MIMIC, 'weight': 1.0, 'share': 1.0}]), 'not both'),
        (dict(methods=[{**MIMIC, 'connector': dict(type='Identity')}]), '4 channels and the teacher 8'),
        (
            dict(methods=[dict(type='LocalGraph', student='neck', published=True, connector=dict(type='Projection'))]),
            'takes no connector',
        ),
    ],
)
def test_bad_blocks(teacher, change, message):
    model = pillars_config(4)
    with pytest.raises(ConfigError, match=message):
        Distiller(model, dict(teacher=teacher, **change), whole_config(model))


def test_bad_teachers(teacher, tmp_path):
    model = pillars_config(4)
    for block, message in (
        ({**teacher, 'checkpoint': str(tmp_path / 'none.pth')}, 'no file'),
        ({**teacher, 'chekpoint': 'x'}, 'unknown key'),
        ({'config': teacher['config']}, '`checkpoint` is missing'),
    ):
        with pytest.raises(ConfigError, match=message):
            Distiller(model, dict(teacher=block, methods=[MIMIC]), whole_config(model))
    with pytest.raises(ConfigError, match='methods need a teacher'):
        Distiller(model, dict(methods=[MIMIC]), whole_config(model))
    wrong = {**write_teacher(tmp_path, pillars_config(8)), 'config': teacher['config']}
    (tmp_path / 'other').mkdir()
    narrow = write_teacher(tmp_path / 'other', pillars_config(6))
    with pytest.raises(CheckpointError, match=r'distill\.teacher'):
        Distiller(
            model, dict(teacher={**wrong, 'checkpoint': narrow['checkpoint']}, methods=[MIMIC]), whole_config(model)
        )


def test_class_lists_must_agree(teacher):
    model = pillars_config(4)
    other = whole_config(model, ['Car', 'Pedestrian', 'Cyclist'])
    with pytest.raises(ConfigError, match='class lists differ'):
        Distiller(model, dict(teacher=teacher, methods=[MIMIC]), other)
    Distiller(model, dict(teacher={**teacher, 'allow_other_classes': True}, methods=[MIMIC]), other)


def test_a_tap_that_does_not_fire_stops_training(teacher):
    model = distiller(teacher, MIMIC).train()
    model.student.spare = torch.nn.Identity()
    term = model.adapters.terms[0]
    term.student_tap = dataclasses.replace(term.student_tap, module='spare')
    with pytest.raises(TrainingError, match='student tap spare: the module did not run'):
        losses_of(model, raw_batch())


def test_a_whole_head_can_be_tapped(teacher):
    """mmdet3d calls the head's forward directly; Logits takes its class scores."""
    model = distiller(teacher, dict(type='Logits', student='bbox_head')).train()
    assert torch.isfinite(losses_of(model, raw_batch())['loss_logits'])


def test_pillars_arrive_as_voxels_with_counts(teacher):
    model = distiller(teacher, MIMIC).train()
    seen = []
    model.adapters.terms[0].methods[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs))
    data = model.data_preprocessor(raw_batch(3), True)
    model(**data, mode='loss')
    student, target, _ = seen[0]
    assert isinstance(student, Voxels)
    assert student.batch_size == 3
    assert torch.equal(student.counts, data['inputs']['voxels']['num_points'])
    assert student.grid.cell == (0.5, 0.5, 4.0)
    assert not target.values.requires_grad


def test_teacher_init_starts_from_the_teachers_weights(teacher):
    model = distiller(teacher, dict(type='TeacherInit'))
    ours, theirs = model.state_dict(), model.teacher.network.state_dict()
    assert torch.equal(
        ours['voxel_encoder.pfn_layers.0.linear.weight'], theirs['voxel_encoder.pfn_layers.0.linear.weight'][:4]
    )
    assert torch.equal(ours['backbone.blocks.0.0.weight'], theirs['backbone.blocks.0.0.weight'][:4, :4])
    losses = losses_of(model.train(), raw_batch())
    assert not [name for name in losses if 'teacher_init' in name]


@pytest.mark.parametrize('settings', [dict(samples=50, neighbors=8), dict(published=True)])
def test_local_graph_trains(teacher, settings):
    model = distiller(teacher, dict(type='LocalGraph', student='voxel_encoder', weight=0.1, **settings)).train()
    log = step(model, raw_batch())
    assert torch.isfinite(log['loss_local_graph'])
    assert float(log['local_graph/effective_centres']) > 0
