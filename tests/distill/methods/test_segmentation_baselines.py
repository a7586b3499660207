"""DIST, PairWise, IntraClassVariation, MGD, CrossImage and Logits on pixels: what the modules add to the functions."""

from __future__ import annotations

import copy

import pytest
import torch
from helpers.distributed import free_port
from helpers.features import anchor_logits, bird_map, label_samples, pixel_logits, row_logits
from helpers.memories import fill, fill_as

from pointkd.core.errors import ConfigError, DataError
from pointkd.distill.functional import dist, intra_class_variation, logit_kl, nearest_labels, pair_wise, pixel_relations
from pointkd.distill.ground_truth import label_maps
from pointkd.distill.methods._memory import ClassMemory, remember_pixels, remember_regions
from pointkd.distill.methods.base import Context, Widths
from pointkd.distill.methods.cross_image import CrossImage
from pointkd.distill.methods.dist import DIST
from pointkd.distill.methods.intra_class_variation import IntraClassVariation
from pointkd.distill.methods.logits import Logits
from pointkd.distill.methods.mgd import MGD
from pointkd.distill.methods.pair_wise import PairWise
from pointkd.distill.registry import METHODS, build_strict

WIDTHS = Widths(4, 4)


def labelled(step=0, classes=3):
    """The context of a step with label maps."""
    return Context(iteration=step, data_samples=label_samples(classes))


def small_memory(**settings):
    """CrossImage with small memories."""
    sizes = dict(pixel_memory=9, region_memory=4, pixels_per_image=3, pixel_keys=6, region_keys=3)
    return CrossImage(widths=WIDTHS, classes=3, **{**sizes, **settings})


def test_logits_of_pixels_are_rows_of_classes():
    student, teacher = pixel_logits(4, 1), pixel_logits(4, 2)
    rows = [side.values.movedim(1, -1).reshape(-1, 4) for side in (student, teacher)]
    assert Logits(tau=2.0)(student, teacher, Context()).loss.item() == pytest.approx(logit_kl(*rows, 2.0).item())


def test_modules_pass_their_settings_on():
    student, teacher = pixel_logits(4, 1), pixel_logits(4, 2)
    loss = DIST(tau=2.0, beta=0.5, gamma=3.0, per_image=True)(student, teacher, Context()).loss
    assert torch.equal(loss, dist(student.values, teacher.values, 2.0, 0.5, 3.0, per_image=True))
    student, teacher = bird_map(3, 1), bird_map(5, 2)
    assert torch.equal(PairWise()(student, teacher, Context()).loss, pair_wise(student.values, teacher.values, 0.5))
    labels = nearest_labels(label_maps(label_samples(3), student.values), (4, 5))
    loss = IntraClassVariation(classes=3)(student, teacher, labelled()).loss
    assert torch.equal(loss, intra_class_variation(student.values, teacher.values, labels, 3))


def test_hidden_cells_follow_from_the_iteration_and_leave_other_random_numbers_alone():
    torch.manual_seed(0)
    method = MGD(widths=WIDTHS).double()
    student, teacher = bird_map(4, 1), bird_map(4, 2)
    state = torch.random.get_rng_state()
    losses = [method(student, teacher, Context(iteration=step)).loss.item() for step in (3, 4, 3)]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert losses[0] == losses[2] != losses[1]


def test_the_generator_learns_to_restore():
    torch.manual_seed(0)
    method = MGD(widths=WIDTHS, hidden=0.2).double()
    student = bird_map(4, 1)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.05)
    losses = []
    for step in range(40):
        loss = method(student, student, Context(iteration=step)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


def test_memory_keeps_the_latest_and_draws_what_it_has():
    memory = ClassMemory(classes=2, size=3, width=2)
    source = torch.Generator().manual_seed(0)
    assert memory.draw(4, source).shape == (0, 2)
    rows = torch.tensor([[float(n), 1.0] for n in range(1, 6)])
    for row in rows:
        memory.add(row[None], torch.tensor([1]), torch.tensor([0]))
    assert memory.filled.tolist() == [0, 3]
    kept = memory.features[1] / memory.features[1, :, 1:]
    assert torch.allclose(kept[:, 0], torch.tensor([4.0, 5.0, 3.0]))  # the first two made room
    assert torch.allclose(memory.features[1].norm(dim=1), torch.ones(3))
    drawn = memory.draw(4, source)  # two a class
    assert drawn.shape == (2, 2)
    assert len(drawn.unique(dim=0)) == 2


def test_what_an_image_adds_to_the_memories():
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [3.0, 4.0], [9.0, 9.0]])
    labels = torch.tensor([0, 0, 0, 2, 7])  # 7 is no class
    regions, pixels = ClassMemory(3, 4, 2), ClassMemory(3, 4, 2)
    remember_regions(regions, rows, labels)
    remember_pixels(pixels, rows, labels, 2, torch.Generator().manual_seed(0))
    assert regions.written.tolist() == [1, 0, 1]
    assert torch.allclose(regions.features[0, 0], torch.tensor([1.0, 2.0]) / 5**0.5)
    assert torch.allclose(regions.features[2, 0], torch.tensor([0.6, 0.8]))
    assert pixels.written.tolist() == [2, 0, 1]
    assert torch.allclose(pixels.features[0, :2].sum(0).sum(), torch.tensor(2.0))  # two of the three axes


def test_memory_grows_in_training_alone_and_travels_in_the_state():
    method = small_memory()
    student, teacher = bird_map(4, 1), bird_map(4, 2)
    method.eval()(student, teacher, labelled())
    assert method.pixel.written.sum() == 0
    method.train()(student, teacher, labelled())
    assert method.pixel.written.sum() > 0
    resumed = small_memory()
    resumed.load_state_dict(copy.deepcopy(method.state_dict()))
    losses = [entry(student, teacher, labelled(1)).loss.item() for entry in (method, resumed)]
    assert losses[0] == losses[1]
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in method.state_dict().items())


def test_parts_and_weights():
    student, teacher = bird_map(4, 1), bird_map(4, 2)
    whole = small_memory(batch=0.5, pixel=2.0, region=3.0)(student, teacher, labelled())
    parts = whole.scalars
    total = 0.5 * parts['batch'] + 2 * parts['pixel'] + 3 * parts['region']
    assert whole.loss.item() == pytest.approx(total.item())
    assert parts['batch'].item() == pytest.approx(pixel_relations(student.values, teacher.values, pool=2).item())
    alone = small_memory(pixel=0.0, region=0.0)
    assert set(alone(student, teacher, labelled()).scalars) == {'batch'}
    assert alone.pixel.features.numel() == 0


@pytest.mark.long
def test_two_processes_remember_what_one_does(tmp_path):
    torch.multiprocessing.spawn(fill_as, (free_port(), str(tmp_path / 'memory')), nprocs=2)
    expected = fill()
    assert expected['pixel.written'].sum() > 0
    for rank in range(2):
        found = torch.load(tmp_path / f'memory{rank}', weights_only=True)
        assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_bad_logits():
    with pytest.raises(ConfigError, match='same classes in the same order'):
        DIST()(pixel_logits(4, 1), pixel_logits(5, 2), Context())
    with pytest.raises(ConfigError, match=r'DIST works on softmax scores.* sigmoid'):
        DIST()(anchor_logits(4, 1), anchor_logits(4, 2), Context())
    with pytest.raises(ConfigError, match='per_image'):
        DIST(per_image=True)(row_logits(4, 1), row_logits(4, 2), Context())


@pytest.mark.parametrize('method', [IntraClassVariation(classes=2), CrossImage(widths=WIDTHS, classes=2)])
def test_bad_labels(method):
    with pytest.raises(DataError, match=r'expected 0\.\.1 or 255'):
        method(bird_map(4, 1), bird_map(4, 2), labelled(classes=3))
    with pytest.raises(DataError, match='ground truth'):
        method(bird_map(4, 1), bird_map(4, 2), Context())


@pytest.mark.parametrize(
    ('block', 'words'),
    [
        (dict(type='DIST', tau=0), 'tau'),
        (dict(type='DIST', beta=0, gamma=0), 'beta, gamma'),
        (dict(type='PairWise', pool=1.5), 'pool'),
        (dict(type='IntraClassVariation'), "needs the setting 'classes'"),
        (dict(type='IntraClassVariation', classes=0), 'classes'),
        (dict(type='MGD', hidden=1.0), 'hidden'),
        (dict(type='CrossImage', classes=3, pixel_keys=0), 'pixel_keys'),
        (dict(type='CrossImage', classes=3, batch=0, pixel=0, region=0), 'batch, pixel, region'),
        (dict(type='CrossImage', classes=3, tau=-1), 'tau'),
    ],
)
def test_bad_settings(block, words):
    with pytest.raises(ConfigError, match=words):
        build_strict(METHODS, block, 'distill.methods[0]', widths=WIDTHS)
