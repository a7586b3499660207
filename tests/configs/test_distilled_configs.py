"""Every distilled config builds its Distiller on a teacher with random weights, and is the plain student otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.configs import CONFIGS, DISTILLED, IMAGE_FOLDERS, config, differences, plain_student
from mmengine.config import Config

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from pointkd.distill.distiller import Distiller
from pointkd.io.build import build_model
from pointkd.io.checkpoints import save_checkpoint
from pointkd.io.dummy import dummy_batch

METHODS = (
    'local-graph',
    'local-graph-published',
    'channel-wise',
    'logits',
    'feature-mimic',
    'teacher-init',
    'teacher-init+local-graph',
    'teacher-init+local-graph-scores',
)


@pytest.fixture(scope='module')
def with_teacher(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Config]:
    """Load a distilled config and point it at random weights of its teacher."""
    folder = tmp_path_factory.mktemp('teachers')

    def load(name: str) -> Config:
        cfg = config(name)
        path = Path(cfg.filename).parent / cfg.distill.teacher.config
        weights = folder / f'{path.stem}.pth'
        if not weights.exists():
            torch.manual_seed(0)
            network = build_model(config(path.relative_to(CONFIGS).as_posix()))
            save_checkpoint(weights, {'state_dict': network.state_dict()})
        cfg.distill.teacher.checkpoint = str(weights)
        return cfg

    return load


def test_each_student_comes_with_each_method() -> None:
    for student in ('4x', '16x'):
        for method in METHODS:
            assert f'pointpillars/pointpillars-{student}_{method}_kitti-3class.py' in DISTILLED


@pytest.mark.parametrize('name', DISTILLED)
def test_is_the_student_with_one_block(name: str) -> None:
    alone, distilled = (config(entry)._cfg_dict.to_dict() for entry in (plain_student(name), name))
    assert set(differences(alone, distilled)) == {'distill'}


@pytest.mark.long
@pytest.mark.parametrize('name', [name for name in DISTILLED if not name.startswith(IMAGE_FOLDERS)])
def test_builds_and_has_every_term(name: str, with_teacher: Callable[[str], Config]) -> None:
    cfg = with_teacher(name)
    distiller = Distiller(cfg.model, cfg.distill, cfg)
    distiller.init_weights()
    assert len(distiller.adapters.terms) == len(cfg.distill.methods)
    plain = build_model(config(plain_student(name)))
    plain.load_state_dict(distiller.state_dict(), strict=True)


@pytest.mark.parametrize('name', ['demo/distilled.py'])
def test_trains_a_step(name: str, with_teacher: Callable[[str], Config]) -> None:
    cfg = with_teacher(name)
    distiller = Distiller(cfg.model, cfg.distill, cfg)
    distiller.init_weights()
    distiller.train().set_progress(500, 1000)
    losses = distiller(**distiller.data_preprocessor(dummy_batch(cfg, batch_size=2), True), mode='loss')
    total, log = distiller.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    assert 'loss_local_graph' in log
    assert all(torch.isfinite(weight.grad).all() for weight in distiller.parameters())
