"""`pointkd results SUITE --check`: passes on every suite of the repository, and sees what does not match."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from report.test_results_made import SUITE, add_record, make_home, read_made

from pointkd.cli.main import main
from pointkd.report.results.check import mismatches
from pointkd.report.results.pages import write_pages
from pointkd.report.results.places import CHECKOUT, Places
from pointkd.report.results.plan import State
from pointkd.report.results.reading import suite_files
from pointkd.report.results.records import write_compact


@pytest.mark.parametrize('name', suite_files(CHECKOUT))
def test_every_suite_of_the_repository_matches(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    begin = time.process_time()
    code = main(['results', name, '--check'])
    assert code == 0, capsys.readouterr().out
    assert time.process_time() - begin < 10


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A checkout whose tables match its records."""
    places = make_home(tmp_path)
    for seed in range(2):
        add_record(places, 'cars', 'plain', seed, 40.0 + seed)
        add_record(places, 'cars', 'graph', seed, 42.0)
    add_record(places, 'streets', 'teacher', 0, 60.0)
    write_pages(read_made(places), places, State.read(places))
    return places


def found(places: Places) -> list[str]:
    return mismatches(read_made(places), places)


def test_what_was_just_written_matches(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(places) == []
    assert main(['results', 'made', '--check', '--home', str(places.home)]) == 0
    assert '5 runs, tables and suite file match' in capsys.readouterr().out


def change(path: Path, edit: Callable[[dict], None]) -> None:
    """Change a JSON by hand."""
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_a_number_changed_by_hand_is_seen(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    path = places.record('cars', 'plain', 0)
    change(path, lambda record: record['metrics']['official']['Car']['bbox'].__setitem__(0, 40.01))  # in no table
    assert found(places) == ['docs/results/made/cars/plain-0.json: was changed after it was written']
    assert main(['results', 'made', '--check', '--home', str(places.home)]) == 1
    assert capsys.readouterr().out == f'{found(places)[0]}\n'


def test_nan_is_no_ap(places: Places) -> None:
    change(
        places.record('cars', 'plain', 0),
        lambda record: record['metrics']['official']['Car'].__setitem__('3d', [float('nan')] * 3),
    )
    assert found(places) == [
        'docs/results/made/cars/plain-0.json: was changed after it was written',
        'AP of Car, 3d, overlaps official is nan',
    ]


def test_a_run_too_few_or_too_many_is_seen(places: Places) -> None:
    places.record('cars', 'plain', 1).unlink()
    lines = found(places)
    assert [line.partition(':')[0] for line in lines] == ['docs/results/made/tables.md', 'docs/results.md']
    assert '--tables' in lines[0]
    write_pages(read_made(places), places, State.read(places))
    assert found(places) == []
    add_record(places, 'cars', 'plain', 8, 40.0)
    assert len(found(places)) == 2


@pytest.mark.parametrize(
    ('right', 'wrong', 'lines'),
    [
        ('weight=1.0', 'weight=3.0', 2),
        ("name='plain', title", "name='plane', title", 2),
        ('iterations=200', 'iterations=300', 0),  # of a teacher that is made already
    ],
)
def test_a_changed_suite_is_seen(places: Places, right: str, wrong: str, lines: int) -> None:
    path = places.home / 'configs' / 'results' / 'made.py'
    path.write_text(path.read_text().replace(right, wrong).replace("control='plain'", "control='graph'"))
    records = [line for line in found(places) if '.json: ' in line]
    assert len(records) == lines


def test_a_changed_config_is_seen(places: Places) -> None:
    path = places.home / 'configs' / 'net.py'
    path.write_text(path.read_text().replace('width=4', 'width=5'))
    assert len([line for line in found(places) if 'another config' in line]) == 5


def test_another_teacher_is_seen(places: Places) -> None:
    (places.home / 'data/teachers/big.pth').write_text('other weights')
    assert 'has sha256' in found(places)[0]
    (places.home / 'data/teachers/big.pth').unlink()
    assert 'is missing' in found(places)[0]


def test_a_teacher_without_a_checksum_is_seen(tmp_path: Path) -> None:
    places = make_home(tmp_path, SUITE.replace('SHA256', 'None'))
    write_pages(read_made(places), places, State.read(places))
    assert found(places) == ['teacher big: big.pth is there, but the suite has no sha256 of it']


def test_changed_pages_and_lost_plots_are_seen(places: Places) -> None:
    places.tables.write_text(places.tables.read_text().replace('42.0', '43.0'))
    places.page.write_text(places.page.read_text().replace('42.0', '43.0'))
    (places.documents / 'cars' / 'accuracy-parameters.png').unlink()
    assert [line.partition(':')[0] for line in found(places)] == [
        'docs/results/made/tables.md',
        'docs/results.md',
        'docs/results/made/cars/accuracy-parameters.png',
    ]


def test_tuning_must_be_the_best_of_the_declared_grid(tmp_path: Path) -> None:
    places = make_home(tmp_path, SUITE.replace("name='graph'", "name='graph', grid={'w': [1, 3]}"))
    write_pages(read_made(places), places, State.read(places))
    tried = [{'setting': {'w': 1}, 'score': 40.0}, {'setting': {'w': 3}, 'score': 41.0}]

    def lines(**entry: object) -> list[str]:
        write_compact(places.tuning, {'cars': {'graph': {'tried': tried, 'chosen': {'w': 3}, **entry}}})
        return found(places)

    assert lines() == []
    assert "the best that was tried is {'w': 3}" in lines(chosen={'w': 1})[0]
    assert 'another grid' in lines(tried=tried[:1], chosen={'w': 1})[0]
