"""`pointkd results`, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from report.test_results_made import add_record, make_home

from pointkd.cli.main import main


@pytest.fixture
def home(tmp_path: Path) -> str:
    """A made-up checkout with one run."""
    places = make_home(tmp_path)
    add_record(places, 'cars', 'plain', 0, 40.0)
    return str(tmp_path)


def test_list_says_what_is_done_and_what_is_missing(home: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['results', 'made', '--list', '--home', home]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ['missing', 'core', 'cars', 'teacher', 'seed', '0', 'about', '40', 's']
    assert any(line.split()[:4] == ['done', 'core', 'cars', 'plain'] for line in lines)
    assert lines[-1] == (
        '1 of 17 runs are done; what is left takes about 13 min, and 6 of unknown length (--calibrate tells)'
    )
    assert (
        main(['results', 'made', '--list', '--home', home, '--only', 'plain', '--dataset', 'cars', '--seeds', '1']) == 0
    )
    assert capsys.readouterr().out.splitlines()[-1] == '1 of 1 runs are done; what is left takes about 0 s'


def test_tables_are_written(home: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['results', 'made', '--tables', '--home', home]) == 0
    assert (Path(home) / 'docs' / 'results' / 'made' / 'tables.md').is_file()
    assert main(['results', 'made', '--check', '--home', home]) == 0
    assert 'tables: ' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--only', 'plane'], "arm: no 'plane': did you mean 'plain'?"),
        (['--dataset', 'car'], "data set: no 'car': did you mean 'cars'?"),
        (['--max-runs', '0'], '--max-runs 0: at least 1'),
        (['--data', 'cars'], '--data cars: expected NAME=DIR'),
        (['--data', 'carts=x'], "no 'carts'"),
        (['--tune', 'plain'], "arm 'plain': has no grid"),
        (['--make-teacher', 'bog'], "made has no teacher 'bog': did you mean 'big'?"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str], message: str, home: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['results', 'made', '--home', home, *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert error[0].startswith('pointkd results: ')
    assert message in error[0]


def test_an_unknown_suite_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['results', '3e', '--check']) == 2
    assert "did you mean '3d'?" in capsys.readouterr().err
