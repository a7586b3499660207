"""A run's config: what the suite fixes is in it, and its fingerprint sees what decides a result, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from report.test_results_made import NET, SUITE, make_home, read_made

from pointkd.core.errors import ConfigError
from pointkd.report.results.changes import option_words
from pointkd.report.results.jobs import arm_job, teacher_job, teaching_job
from pointkd.report.results.places import Places


def fingerprint(places: Places, arm: str = 'graph', **changes) -> str:
    suite = read_made(places)
    return arm_job(suite, suite.datasets[0], suite.arm(arm), 0, **changes).fingerprint(places.home)


def test_a_run_has_the_schedule_of_its_data_set(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    suite = read_made(places)
    job = arm_job(suite, suite.datasets[0], suite.arm('plain'), 1, factor=1.5)
    config = job.resolved(tmp_path)
    assert (job.iterations, job.seed, job.teacher) == (150, 1, None)
    assert config.train_cfg == dict(type='IterBasedTrainLoop', max_iters=150, val_interval=150)
    assert config.param_scheduler[0].total_steps == 150
    assert config.train_dataloader.batch_size == 4
    assert config.val_cfg is None
    assert config.test_evaluator.ann_file == 'DATA/kitti_infos_test.pkl'
    assert 'distill' not in config
    assert job.words('/here')[-1] == "test_evaluator.ann_file='/here/kitti_infos_test.pkl'"


def test_a_distilled_run_knows_its_teacher(tmp_path: Path) -> None:
    suite = read_made(make_home(tmp_path))
    job = arm_job(suite, suite.datasets[0], suite.arm('graph'), 0)
    block = job.resolved(tmp_path).distill
    assert block.teacher == dict(config='configs/net.py', checkpoint='data/teachers/big.pth', options=[])
    assert block.methods[0].type == 'LocalGraph'
    assert (job.teacher, job.sha256) == ('big', suite.teachers['big'].sha256)
    assert teacher_job(suite, suite.datasets[0], 'big').iterations == 0
    assert (teaching_job(suite, 'big').iterations, teaching_job(suite, 'big').part) == (200, 'val')


@pytest.mark.parametrize(
    ('right', 'wrong', 'same'),
    [
        ('weight=1.0', 'weight=2.0', False),
        ('iterations=100', 'iterations=101', False),
        ('threads=1', 'threads=2', False),
        ("train='train'", "train='trainval'", False),
        ("title='Cars'", "title='Vehicles'", True),
        ('SHA256', "'00'", False),
    ],
)
def test_the_fingerprint_follows_the_suite(tmp_path: Path, right: str, wrong: str, same: bool) -> None:
    one = make_home(tmp_path / 'one')
    other = make_home(tmp_path / 'other', SUITE.replace(right, wrong))
    assert (fingerprint(one) == fingerprint(other)) is same


@pytest.mark.parametrize(
    ('right', 'wrong', 'same'),
    [
        ('width=4', 'width=5', False),
        ('lr=3e-4', 'lr=1e-4', False),
        ('num_workers=2', 'num_workers=0', True),
        ('val_cfg = dict()', "val_cfg = dict()\nlog_level = 'DEBUG'\nunread = 3", True),
    ],
)
def test_the_fingerprint_follows_the_config(tmp_path: Path, right: str, wrong: str, same: bool) -> None:
    one, other = make_home(tmp_path / 'one'), make_home(tmp_path / 'other')
    assert right in NET
    (tmp_path / 'other' / 'configs' / 'net.py').write_text(NET.replace(right, wrong))
    assert (fingerprint(one) == fingerprint(other)) is same


@pytest.mark.parametrize(('right', 'wrong', 'same'), [('width=4', 'width=5', False), ('lr=3e-4', 'lr=1e-4', True)])
def test_of_an_evaluation_the_training_does_not_count(tmp_path: Path, right: str, wrong: str, same: bool) -> None:
    one, other = make_home(tmp_path / 'one'), make_home(tmp_path / 'other')
    (tmp_path / 'other' / 'configs' / 'net.py').write_text(NET.replace(right, wrong))
    prints = []
    for places in (one, other):
        suite = read_made(places)
        prints.append(teacher_job(suite, suite.datasets[0], 'big').fingerprint(places.home))
    assert (prints[0] == prints[1]) is same


def test_a_teacher_of_another_command(tmp_path: Path) -> None:
    block = 'schedule=dict(iterations=200)'
    assert block in SUITE
    made = SUITE.replace(block, "made='python make.py', file='data/other.pth'")
    suite = read_made(make_home(tmp_path, made))
    assert teacher_job(suite, suite.datasets[0], 'big').weights == 'data/other.pth'
    assert arm_job(suite, suite.datasets[0], suite.arm('graph'), 0).weights == 'data/other.pth'
    with pytest.raises(ConfigError, match=r'made by `python make\.py`'):
        teaching_job(suite, 'big')
    with pytest.raises(ConfigError, match='either `schedule`, or `made`'):
        read_made(make_home(tmp_path / 'both', SUITE.replace(block, f"{block}, made='python make.py'")))


def test_the_fingerprint_sees_part_tuning_and_length_not_the_seed(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    suite = read_made(places)
    seeds = {arm_job(suite, suite.datasets[0], suite.arm('graph'), n).fingerprint(tmp_path) for n in range(3)}
    assert len(seeds) == 1
    chosen = {'distill.methods.0.weight': 3.0}
    assert len({*seeds, fingerprint(places, part='val'), fingerprint(places, factor=0.5)}) == 3
    assert fingerprint(places, chosen=chosen) not in seeds
    assert fingerprint(places, chosen={'distill.methods.0.weight': 1.0}) in seeds


def test_channels_last_in_float32_is_a_hook(tmp_path: Path) -> None:
    suite = read_made(make_home(tmp_path, SUITE.replace('threads=1', "threads=1, memory_format='channels_last'")))
    config = arm_job(suite, suite.datasets[0], suite.arm('plain'), 0).resolved(tmp_path)
    assert config.default_hooks.layout.type.endswith('ChannelsLastHook')


def test_options_are_written_so_that_they_are_read_back() -> None:
    options = {'a': float('inf'), 'b': [1, -float('inf')], 'c': ((1,), (2, 3)), 'd': 'x, y', '+e': {'k': None}}
    words = option_words(options)
    assert words[0] == 'a=1e999'
    assert words[2:4] == ['c=((1,), (2, 3))', "d='x, y'"]
    with pytest.raises(ConfigError, match='can not be written as an option'):
        option_words({'f': len})
