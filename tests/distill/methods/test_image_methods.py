"""PKD, FGD and LD on detectors of mmdet: a step each, boxes where they lie, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.detectors import distilled, faster_rcnn, gfl, losses_of, photos, retinanet, write_detector
from helpers.features import GRID, bird_map
from helpers.nets import pillars_config, raw_batch, whole_config, write_teacher
from helpers.yolov8 import SMALL, small_model

from pointkd.core.errors import ConfigError, DataError
from pointkd.distill.connectors import Identity
from pointkd.distill.distiller import Distiller
from pointkd.distill.features import Map
from pointkd.distill.methods.base import Context, Widths
from pointkd.distill.methods.fgd import FGD
from pointkd.distill.registry import METHODS, build_strict
from pointkd.models.yolov8.functional import anchor_points

NETS = {'retinanet': retinanet, 'faster_rcnn': faster_rcnn, 'gfl': gfl}
PKD_TERM = dict(type='PKD', student='neck', levels=[1, 1, 1, 0], weight=10.0)
FGD_TERM = dict(type='FGD', student='neck', levels=[1, 1, 1, 1])
LD_TERM = dict(type='LD', student='bbox_head', weight=0.25)


@pytest.fixture(scope='module')
def teachers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """`distill.teacher` of each net, of width 8."""
    return {name: write_detector(tmp_path_factory.mktemp(name), net(8)) for name, net in NETS.items()}


@pytest.mark.parametrize(
    ('net', 'methods'),
    [
        ('retinanet', [PKD_TERM, FGD_TERM]),
        ('faster_rcnn', [PKD_TERM, FGD_TERM]),
        ('gfl', [dict(LD_TERM, threshold=0.0), dict(LD_TERM, region='boxes', scale=4.0, name='ld_boxes')]),
        ('gfl', [dict(type='LD', student='bbox_head', share=0.2, threshold=0.0)]),
    ],
)
def test_a_step_trains_student_and_adapters(net: str, methods: list[dict], teachers: dict[str, Any]) -> None:
    model = distilled(NETS[net](4), teachers[net], *methods)
    total, log = model.parse_losses(losses_of(model, photos()))
    total.backward()
    names = [term.name for term in model.adapters.terms]
    assert all(torch.isfinite(log[f'loss_{name}']) and log[f'loss_{name}'] > 0 for name in names)
    trained = [value for value in model.parameters() if value.requires_grad]
    assert all(value.grad is not None and value.grad.isfinite().all() for value in trained)


def test_the_boxes_are_those_of_the_augmented_and_padded_batch(
    teachers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Level 0 has the stride 8: the weight of a cell tells which box it belongs to."""
    seen: list[Any] = []
    original = FGD.forward

    def forward(self: FGD, student: Map, teacher: Map, context: Context) -> Any:
        seen.append((student, context.data_samples))
        return original(self, student, teacher, context)

    monkeypatch.setattr(FGD, 'forward', forward)
    model = distilled(retinanet(4), teachers['retinanet'], dict(type='FGD', student='neck[0]', beta=0.0, gamma=0.0))
    batch = photos()
    losses_of(model, batch)
    student, samples = seen[0]
    assert student.grid.cell[:2] == (8.0, 8.0)
    assert student.values.shape[2:] == (12, 12)  # 96 x 96, padded from 64 x 96 and 72 x 60
    for ours, raw in zip(samples, batch['data_samples'], strict=True):
        assert torch.equal(ours.gt_instances.bboxes, raw.gt_instances.bboxes.tensor)


def fgd(**settings: Any) -> Any:
    """Build FGD for width 4 in float64."""
    torch.manual_seed(0)
    return build_strict(METHODS, {'type': 'FGD', **settings}, 'test', widths=Widths(4, 4)).double()


def context_of(boxes: list[torch.Tensor]) -> Context:
    """A context with boxes."""
    from types import SimpleNamespace

    return Context(data_samples=[SimpleNamespace(gt_instances=SimpleNamespace(bboxes=entry)) for entry in boxes])


def test_a_change_inside_a_box_counts_as_foreground_and_outside_as_background() -> None:
    method = fgd(alpha=1.0, beta=1.0, gamma=0.0, lambda_=0.0)
    teacher = bird_map(4, 1, batch=1)
    box = [torch.tensor([[0.0, -4.0, 1.0, -3.0]])]  # the first two by two cells of the grid
    for place, changed, still in (((0, 1), 'foreground', 'background'), ((3, 4), 'background', 'foreground')):
        values = teacher.values.clone()
        values[:, :, place[0], place[1]] += 1
        scalars = method(teacher.with_values(values), teacher, context_of(box)).scalars
        assert float(scalars[changed]) > 0
        assert float(scalars[still]) == 0


def test_relations_are_learned_on_both_sides() -> None:
    method = fgd(alpha=0.0, beta=0.0, gamma=0.0, lambda_=1.0)
    student, teacher = bird_map(4, 2), bird_map(4, 1)
    boxes = context_of([torch.zeros(0, 4)] * 3)
    start = method(student, teacher, boxes)
    expected = (student.values - teacher.values).square().sum() / 3  # both blocks start as the identity
    assert float(start.loss) == pytest.approx(float(expected))
    start.loss.backward()
    for side in ('student', 'teacher'):
        assert method.contexts[side].spread.weight.grad.abs().sum() > 0
    assert not fgd(lambda_=0.0).contexts


def test_fgd_on_a_birds_eye_map_takes_the_rectangles_of_the_boxes(tmp_path: Path) -> None:
    teacher = write_teacher(tmp_path, pillars_config(8))
    model = pillars_config(4)
    built = Distiller(
        model,
        dict(teacher=teacher, methods=[dict(type='FGD', student='neck', beta=0.0, gamma=0.0)]),
        whole_config(model),
    )
    built.init_weights()
    losses = losses_of(built.train(), raw_batch())
    assert float(losses['fgd/foreground']) > 0


def test_what_fgd_refuses() -> None:
    student, teacher = bird_map(4, 2), bird_map(4, 1)
    with pytest.raises(DataError, match='use it in training only'):
        fgd()(student, teacher, Context())
    with pytest.raises(DataError, match='expected those of 3 samples, got 1'):
        fgd()(student, teacher, context_of([torch.zeros(0, 4)]))
    with pytest.raises(DataError, match='upright rectangles'):
        fgd()(student, teacher, context_of([torch.zeros(2, 5)] * 3))
    with pytest.raises(DataError, match='LoadAnnotations with boxes'):
        fgd()(student, teacher, Context(data_samples=[object()] * 3))
    with pytest.raises(ConfigError, match='unknown place'):
        fgd()(Map(student.values), teacher, context_of([torch.zeros(0, 4)] * 3))
    for settings, message in ((dict(tau=0.0), 'tau'), (dict(alpha=-1.0), '>= 0')):
        with pytest.raises(ConfigError, match=message):
            fgd(**settings)
    assert student.grid == GRID


def test_ld_reads_the_head_as_it_decodes(teachers: dict[str, Any]) -> None:
    """Centres and strides are those of the head's own anchors."""
    model = distilled(gfl(4), teachers['gfl'], dict(LD_TERM, threshold=0.0))
    seen: list[Any] = []
    model.adapters.terms[0].methods[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs))
    losses_of(model, photos())
    student = seen[0][0]
    sizes = [tuple(maps.shape[2:]) for maps in student.maps]
    anchors = torch.cat(model.student.bbox_head.prior_generator.grid_priors(sizes, device='cpu'))
    assert torch.equal(student.centres, (anchors[:, :2] + anchors[:, 2:]) / 2)
    assert torch.equal(student.strides, (anchors[:, 2] - anchors[:, 0]) / 4)
    assert student.values.shape == (2, len(anchors), 4 * 8)
    cell = student.values[1, 12 * 3 + 5]
    assert torch.equal(cell, student.maps[0][1, :, 3, 5])


def test_a_small_yolo_learns_sides_and_classes_of_a_wider_one(tmp_path: Path) -> None:
    teacher = write_detector(tmp_path, small_model() | {'scale': dict(SMALL, width=0.25)})
    methods = [
        dict(type='LD', student='bbox_head', tau=2.0, threshold=0.0, weight=0.25),
        dict(type='Logits', student='bbox_head', threshold=0.0, levels=[4, 2, 1]),
        dict(type='ChannelWise', student='neck', levels=[4, 2, 1]),
    ]
    model = distilled(small_model(), teacher, *methods)
    assert not isinstance(model.adapters.terms[2].connectors[0], Identity)
    seen: list[Any] = []
    model.adapters.terms[1].methods[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs))
    total, log = model.parse_losses(losses_of(model, photos()))
    total.backward()
    assert seen[0][0].activation == 'sigmoid'
    assert all(float(log[f'loss_{name}']) > 0 for name in ('ld', 'logits', 'channel_wise'))
    assert all(value.grad is not None for value in model.parameters() if value.requires_grad)


def test_ld_places_the_cells_of_a_yolo_at_its_points(tmp_path: Path) -> None:
    model = distilled(small_model(), write_detector(tmp_path, small_model()), dict(LD_TERM, threshold=0.0))
    seen: list[Any] = []
    model.adapters.terms[0].methods[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs))
    losses_of(model, photos())
    student = seen[0][0]
    points, stride = anchor_points([tuple(maps.shape[2:]) for maps in student.maps], (8, 16, 32), student.values)
    assert torch.equal(student.strides, stride.flatten())
    assert torch.equal(student.centres, points * stride)


@pytest.mark.parametrize(
    ('net', 'term', 'message'),
    [
        ('gfl', dict(LD_TERM, student='neck'), 'tap the head itself'),
        ('retinanet', LD_TERM, 'RetinaHead gives 2 anchors a cell and 8 box channels, no distributions'),
        ('gfl', dict(LD_TERM, region='ring'), 'expected one of teacher, boxes'),
        ('gfl', dict(LD_TERM, ring=0.5), "not for region='teacher'"),
        ('gfl', dict(LD_TERM, region='boxes', threshold=0.1), "not for region='boxes'"),
        ('gfl', dict(LD_TERM, region='boxes', ring=2.0), r'\(0, 1\]'),
        ('gfl', dict(LD_TERM, tau=0.0), 'tau'),
        ('retinanet', dict(type='PKD', student='neck', statistics='channel'), "'batch' or 'sample'"),
        ('retinanet', dict(type='PKD', student='bbox_head'), 'no map'),
    ],
)
def test_bad_settings(net: str, term: dict, message: str, teachers: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=message):
        distilled(NETS[net](4), teachers[net], term)


def test_heads_with_other_bins_can_not_be_compared(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='same levels, strides, reg_max'):
        distilled(gfl(4), write_detector(tmp_path, gfl(8, reg_max=5)), LD_TERM)
