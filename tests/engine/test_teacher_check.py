"""The teacher's score is known before the first step, and a weak teacher stops the run."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.toy import ToyData, ToyMetric, ToyNet
from mmengine.evaluator import Evaluator
from torch.utils.data import DataLoader

from pointkd.core.errors import ConfigError, TrainingError
from pointkd.engine.setup import training_settings
from pointkd.engine.teacher_check import TeacherCheckHook
from pointkd.io.config import load_config


class Hub(dict):
    """A message hub."""

    def update_info(self, name: str, value: Any) -> None:
        self[name] = value


def runner(iteration: int = 0, validates: bool = True) -> Any:
    """Return what the hook sees of a runner with a teacher."""
    data = ToyData(size=4, augment=False)
    collate = lambda samples: {key: [sample[key] for sample in samples] for key in samples[0]}  # noqa: E731
    loop = SimpleNamespace(
        dataloader=DataLoader(data, batch_size=2, collate_fn=collate), evaluator=Evaluator([ToyMetric()])
    )
    teacher = SimpleNamespace(network=ToyNet().train())
    return SimpleNamespace(
        iter=iteration,
        network=SimpleNamespace(teacher=teacher),
        val_loop=loop if validates else None,
        message_hub=Hub(),
        logger=logging.getLogger('pointkd.test'),
    )


def test_score_is_logged_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    run = runner()
    with caplog.at_level(logging.INFO):
        TeacherCheckHook('error', floor=0.0).before_train(run)
    assert 'teacher on the validation set: error: 0.' in caplog.text
    assert run.message_hub['teacher_metrics']['count'] == 4
    assert run.network.teacher.network.training  # its mode is what it was


def test_weak_teacher_stops_the_run() -> None:
    with pytest.raises(TrainingError, match=r'the teacher scores .* in error, below distill\.teacher\.min_ap = 50'):
        TeacherCheckHook('error', floor=50).before_train(runner())


def test_resumed_run_does_not_repeat_it() -> None:
    run = runner(iteration=3)
    TeacherCheckHook('error', floor=50).before_train(run)
    assert run.message_hub == {}


def test_what_the_check_needs() -> None:
    with pytest.raises(ConfigError, match=r"no metric 'eror': did you mean 'error'"):
        TeacherCheckHook('eror', floor=0.5).before_train(runner())
    with pytest.raises(ConfigError, match='needs val_dataloader'):
        TeacherCheckHook().before_train(runner(validates=False))
    with pytest.raises(ConfigError, match=r'min_ap needs distill\.teacher\.metric'):
        TeacherCheckHook(floor=0.5)


@pytest.mark.parametrize(
    ('teacher', 'hooks'), [({}, []), ({'check_ap': True}, [None]), ({'min_ap': 0.3, 'metric': 'error'}, [0.3])]
)
def test_config_asks_for_it(teacher: dict, hooks: list, tmp_path: Path) -> None:
    from helpers.toy import write_config

    config = load_config(write_config(tmp_path, f'distill = dict(teacher={teacher!r})\n'))
    found = [hook for hook in training_settings(config, tmp_path, 0, False).custom_hooks if 'floor' in hook]
    assert [hook['floor'] for hook in found] == hooks
