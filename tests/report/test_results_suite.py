"""Reading a suite's file: what is right is understood, what is wrong is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from report.test_results_made import SUITE, make_home, read_made

from pointkd.core.errors import ConfigError
from pointkd.report.results.reading import read_suite


def test_a_suite_is_read_with_its_defaults(tmp_path: Path) -> None:
    suite = read_made(make_home(tmp_path))
    assert (suite.name, suite.seeds, suite.numerics.threads) == ('made', 3, 1)
    assert [data.name for data in suite.datasets] == ['cars', 'streets']
    assert [arm.name for arm in suite.arms_of(suite.datasets[0])] == ['plain', 'graph', 'wide']
    assert [arm.name for arm in suite.arms_of(suite.datasets[1])] == ['plain', 'graph']
    plain, graph = suite.arm('plain'), suite.arm('graph')
    assert (suite.compared_to(plain), suite.compared_to(graph)) == ([], ['plain'])
    assert (suite.teacher_of(suite.datasets[0], plain), suite.teacher_of(suite.datasets[0], graph)) == (None, 'big')


@pytest.mark.parametrize(
    ('right', 'wrong', 'message'),
    [
        ("control='plain'", "contol='plain'", "suite: unknown key 'contol': did you mean 'control'?"),
        ("control='plain',", '', "suite: 'control' is missing"),
        ("control='plain'", "control='plane'", "control: no 'plane': did you mean 'plain'?"),
        ("title='Cars'", 'title=5', r'suite.datasets\[0\].title: expected str, got 5'),
        ('threads=1', "threads='1'", 'suite.numerics.threads: expected int'),
        ('threads=1', 'threads=0', 'numerics.threads: expected 1 or more'),
        ("precision='f32'", "precision='bf16'", "memory_format='channels_last'"),
        ("precision='f32'", "precision='f16'", "numerics.precision: no 'f16'"),
        ("config='net', methods", "config='nett', methods", "configs has no 'nett': did you mean 'net'?"),
        ("name='graph'", "name='plain'", 'plain stands there more than once'),
        ("name='graph'", "name='Graph'", 'a name has lower-case letters'),
        ("name='graph'", "name='teacher'", 'this name is taken'),
        ("teacher='big'", "teacher='small'", "teacher: no 'small': choose one of: big"),
        ("    teacher='big',\n", '', "arm 'graph' on 'cars': methods need a teacher"),
        ("overlaps='0.5'", "overlaps='0.6'", "column 'BEV 0.5': overlaps: no '0.6'"),
        ("metric='bev'", "metric='bev3'", "metric: no 'bev3'"),
        ("root='cars',", '', 'give either `make`'),
        ('frames=dict(train=3, val=1, test=2)', 'frames=dict(train=3)', 'frames must have train, val, test'),
        ("datasets=['cars']", "datasets=['car']", "arm 'wide': datasets: no 'car': did you mean 'cars'?"),
        ("group='extension'", "group='extra'", "arm 'wide': group: no 'extra'"),
        ('suite = dict(', 'result = dict(', 'defines no variable `suite`'),
        ("title='Made up'", 'title=unknown', 'can not be read: NameError'),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    assert right in SUITE
    places = make_home(tmp_path, SUITE.replace(right, wrong))
    with pytest.raises(ConfigError, match=message):
        read_made(places)


def test_an_unknown_suite_names_the_nearest(tmp_path: Path) -> None:
    make_home(tmp_path)
    with pytest.raises(ConfigError, match=r"no suite 'maid' .*did you mean 'made'"):
        read_suite(tmp_path, 'maid')


@pytest.mark.parametrize(
    ('arm', 'grid', 'message'),
    [
        ('plain', {'lr': [1, 2, 3]}, None),
        ('plain', {'lr': [1, 2, 3, 4]}, 'grid has 4 settings, an arm without LocalGraph .a control. may try 3'),
        ('plain', {'lr': [1, 2], 'decay': [1, 2]}, 'grid has 4 settings'),
        ('plain', {'lr': []}, 'grid has 0 settings'),
        ('graph', {'w': [1, 2, 3], 'k': [1, 2]}, None),
        ('graph', {'w': [1, 2, 3, 4, 5, 6, 7]}, 'grid has 7 settings, an arm with LocalGraph may try 6'),
    ],
)
def test_grids_are_small(tmp_path: Path, arm: str, grid: dict, message: str | None) -> None:
    places = make_home(tmp_path, SUITE.replace(f"name='{arm}'", f"name='{arm}', grid={grid}"))
    if message is None:
        assert read_made(places).arm(arm).grid == grid
    else:
        with pytest.raises(ConfigError, match=message):
            read_made(places)


def test_what_is_tuned_needs_a_grid(tmp_path: Path) -> None:
    places = make_home(tmp_path, SUITE.replace("name='graph'", "name='graph', tuned=True"))
    with pytest.raises(ConfigError, match='tuned=True needs a grid'):
        read_made(places)
