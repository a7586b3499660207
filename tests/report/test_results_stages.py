"""Rows of several stages: they start from another row's run, cut down before, and learn from one of another row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report.test_results_made import SUITE, make_home, read_made

from pointkd.core.errors import ConfigError
from pointkd.core.files import write_json
from pointkd.io.plan import LayerPlan, Plan
from pointkd.report.results import stages
from pointkd.report.results.jobs import Job, arm_job

STAGED = SUITE.replace(
    "        dict(name='wide',",
    """        dict(name='sparse', title='sparse', config='net', longer=0.5, options={'model.width': 4}),
        dict(
            name='pruned',
            title='pruned',
            config='net',
            longer=0.5,
            start=dict(arm='sparse', prune='--ratio 0.5 --importance bn'),
            learns_from='plain',
            methods=methods,
        ),
        dict(name='wide',""",
)
PLAN = Plan({'conv': LayerPlan((3, 4), (0, 1, 2), (0, 3))})


def job_of(suite: Any, arm: str) -> Job:
    return arm_job(suite, suite.datasets[0], suite.arm(arm), 0)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been run; each leaves what the real one leaves."""
    run: list[list[str]] = []

    def run_verb(words: list[str], **settings: Any) -> str:
        run.append(words)
        if words[0] == 'train':
            write_json(Path(words[words.index('--work-dir') + 1]) / 'last.pth', {})
        else:
            PLAN.write(Path(words[words.index('--out') + 1]) / 'plan.json')
        return ''

    monkeypatch.setattr(stages, 'run_verb', run_verb)
    return run


def test_what_a_row_needs_is_trained_before_and_once(tmp_path: Path, commands: list[list[str]]) -> None:
    places = make_home(tmp_path, STAGED)
    job, folder = job_of(read_made(places), 'pruned'), places.run('cars', 'pruned', 0)
    assert stages.trained(job, folder, tmp_path, tmp_path / 'data') == folder / 'last.pth'
    assert [words[0] for words in commands] == ['train', 'train', 'prune', 'train']
    sparse, plain = (places.run('cars', row, 0) for row in ('sparse', 'plain'))
    assert [words[words.index('--work-dir') + 1] for words in commands[:2]] == [str(sparse), str(plain)]
    prune = commands[2]
    assert prune[1:7] == [*(str(path) for path in (tmp_path / 'configs/net.py', sparse / 'last.pth')), *prune[3:7]]
    assert prune[3:7] == ['--ratio', '0.5', '--importance', 'bn']
    assert prune[-1] == 'model.width=4'  # the origin's own network
    options = commands[3][commands[3].index('--cfg-options') + 1 :]
    assert f'+model.plan={PLAN.to_config()!r}' in options
    assert options[-1] == f"+load_from='{folder / 'pruned' / 'pruned.pth'}'"
    assert f"'checkpoint': '{plain / 'last.pth'}'" in ' '.join(options)
    stages.trained(job, folder, tmp_path, tmp_path / 'data')
    assert len(commands) == 4


def test_a_start_without_pruning(tmp_path: Path, commands: list[list[str]]) -> None:
    places = make_home(tmp_path, STAGED.replace(", prune='--ratio 0.5 --importance bn'", ''))
    stages.trained(job_of(read_made(places), 'pruned'), places.run('cars', 'pruned', 0), tmp_path, tmp_path)
    assert [words[0] for words in commands] == ['train'] * 3
    assert commands[2][-1] == f"+load_from='{places.run('cars', 'sparse', 0) / 'last.pth'}'"
    assert not any('model.plan' in word for word in commands[2])


def test_the_fingerprint_follows_the_earlier_runs(tmp_path: Path) -> None:
    def fingerprint(name: str, right: str = '', wrong: str = '') -> str:
        places = make_home(tmp_path / name, STAGED.replace(right, wrong) if right else STAGED)
        return job_of(read_made(places), 'pruned').fingerprint(places.home)

    first = fingerprint('a')
    assert fingerprint('b') == first
    assert fingerprint('c', '--ratio 0.5', '--ratio 0.6') != first
    assert fingerprint('d', "options={'model.width': 4}", "options={'model.width': 8}") != first
    assert fingerprint('e', "learns_from='plain'", "learns_from='sparse'") != first


def test_rows_of_several_stages_have_their_share_of_the_schedule(tmp_path: Path) -> None:
    suite = read_made(make_home(tmp_path, STAGED))
    assert [job_of(suite, arm).iterations for arm in ('plain', 'sparse', 'pruned')] == [100, 50, 50]


@pytest.mark.parametrize(
    ('right', 'wrong', 'message'),
    [
        ("arm='sparse'", "arm='wide'", r"start.arm \(a row above it\): no 'wide'"),
        ("learns_from='plain'", "learns_from='pruned'", r"learns_from \(a row above it\): no 'pruned'"),
        ("learns_from='plain'", "learns_from='plain', teacher='big'", 'takes no `teacher` beside it'),
        ('longer=0.5', 'longer=0.0', 'longer: expected a number above 0'),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_made(make_home(tmp_path, STAGED.replace(right, wrong)))
