"""Statistics by hand, and tables, plots and pages of records that nobody trained."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from report.test_results_made import SUITE, add_record, make_home, read_made

from pointkd.core.errors import DataError
from pointkd.report.results.kinds import kind_of
from pointkd.report.results.pages import page_section, write_pages
from pointkd.report.results.plan import State
from pointkd.report.results.plots import mean_curve, plots_of
from pointkd.report.results.records import write_compact
from pointkd.report.results.rows import rows_of
from pointkd.report.results.statistics import paired_difference, spread
from pointkd.report.results.tables import accuracy_table, difference_table, render


def lines_of(table: str) -> dict[str, list[str]]:
    """Return the cells of each line by its first cell."""
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in table.splitlines()]
    return {line[0]: line[1:] for line in cells}


def test_mean_and_deviation_by_hand() -> None:
    assert spread([]) is None
    single = spread([4.0])
    assert single is not None
    assert (single.mean, single.std, single.n) == (4.0, None, 1)
    three = spread([1.0, 2.0, 6.0])
    assert three is not None
    assert (three.mean, three.n) == (3.0, 3)
    assert three.std == pytest.approx(math.sqrt(14 / 2))


def test_paired_interval_by_hand() -> None:
    # differences 1, 2, 3: mean 2, s = 1, t(0.975; 2) = 4.302653
    difference = paired_difference({0: 11.0, 1: 22.0, 2: 33.0, 5: 0.0}, {0: 10.0, 1: 20.0, 2: 30.0, 7: 99.0})
    assert difference is not None
    assert (difference.mean, difference.n) == (2.0, 3)
    assert difference.half_width == pytest.approx(4.302653 / math.sqrt(3), abs=1e-5)
    one = paired_difference({0: 3.0}, {0: 1.0, 1: 5.0})
    assert one is not None
    assert (one.mean, one.half_width, one.n) == (2.0, None, 1)
    assert paired_difference({0: 3.0}, {1: 3.0}) is None
    same = paired_difference({0: 3.0, 1: 4.0}, {0: 2.0, 1: 3.0})
    assert same is not None
    assert same.half_width == 0.0


def test_columns_take_means_of_classes_and_none_as_zero(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    suite = read_made(places)
    record = add_record(places, 'streets', 'plain', 0, 40.0)
    streets, column = suite.datasets[1], suite.datasets[1].columns[0]
    assert kind_of(streets).value(record['metrics'], streets, column) == 40.0
    record['metrics']['official']['Pedestrian']['3d'] = [None, None, None]
    assert kind_of(streets).value(record['metrics'], streets, column) == 20.0
    for wrong in (float('nan'), 101.0, -1.0, 'x'):
        record['metrics']['official']['Pedestrian']['3d'] = [0.0, wrong, 0.0]
        with pytest.raises(DataError, match='AP of Pedestrian, 3d, overlaps official is'):
            kind_of(streets).value(record['metrics'], streets, column)
    del record['metrics']['official']['Car']
    with pytest.raises(DataError, match='no AP of Car'):
        kind_of(streets).value(record['metrics'], streets, column)


def test_tables_show_what_was_run(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    suite = read_made(places)
    cars = suite.datasets[0]
    add_record(places, 'cars', 'teacher', 0, 70.0)
    for seed, (plain, graph) in enumerate([(40.0, 41.0), (42.0, 44.0), (44.0, 47.0)]):
        add_record(places, 'cars', 'plain', seed, plain)
        add_record(places, 'cars', 'graph', seed, graph)
    write_compact(places.calibration, {'datasets': {'cars': {'plain': {'ms': 101.26}}}})
    write_compact(places.latency, {'datasets': {'cars': {'plain': {'ms': 3.46}}}})
    rows = rows_of(suite, cars, State.read(places))
    table = lines_of(accuracy_table(cars, rows))
    assert table['row'] == ['runs', '3D', 'BEV 0.5', 'parameters', 'multiply-adds', 'latency, ms', 'ms a step']
    assert table['teacher'] == ['1', '70.0', '80.0', '1,070', '5 M', '-', '-']
    assert table['alone'] == ['3', '42.0 ± 2.0', '52.0 ± 2.0', '1,050', '5 M', '3.5', '101.3']
    assert table['wide'] == ['0', 'not run', '', '-', '-', '-', '-']
    assert list(table)[2:] == ['teacher', 'alone', 'LocalGraph', '*extension*', 'wide']
    differences = lines_of(difference_table(cars, rows))
    # 1, 2, 3: mean 2, half width 4.303 / sqrt(3) = 2.484
    assert differences['LocalGraph'] == ['alone', '3', '+2.0 [-0.5, +4.5]', '+2.0 [-0.5, +4.5]']
    assert 'wide' not in differences
    assert 'alone' not in differences
    assert 'teacher' not in differences


def test_a_row_may_be_compared_to_several(tmp_path: Path) -> None:
    places = make_home(tmp_path, SUITE.replace("dict(name='wide',", "dict(name='wide', also=['graph'],"))
    suite = read_made(places)
    for seed in range(2):
        for row, value in (('plain', 40.0), ('graph', 41.5), ('wide', 43.0 + seed)):
            add_record(places, 'cars', row, seed, value)
    lines = difference_table(suite.datasets[0], rows_of(suite, suite.datasets[0], State.read(places))).splitlines()
    starts = [line.split('[')[0] for line in lines if line.startswith('| wide')]
    assert starts == ['| wide | alone | 2 | +3.5 ', '| wide | LocalGraph | 2 | +2.0 ']


def test_runs_of_another_config_stand_in_no_table(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    suite = read_made(places)
    add_record(places, 'cars', 'plain', 0, 41.0)
    add_record(places, 'cars', 'plain', 1, 97.0, config='0123456789abcdef')
    write_pages(suite, places, State.read(places))
    text = places.tables.read_text()
    assert '| alone | 1 | 41.0 |' in text
    assert '97' not in text


def test_one_run_has_no_interval_and_no_detection_is_zero(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    suite = read_made(places)
    add_record(places, 'streets', 'plain', 1, None)
    add_record(places, 'streets', 'graph', 1, 3.0)
    rows = rows_of(suite, suite.datasets[1], State.read(places))
    assert lines_of(accuracy_table(suite.datasets[1], rows))['alone'][:2] == ['1', '0.0']
    assert lines_of(difference_table(suite.datasets[1], rows))['LocalGraph'] == ['alone', '1', '+3.0 (one run)']


def test_everything_renders_before_anything_was_run(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    suite = read_made(places)
    text = render(suite, State.read(places), pictures='')
    assert text.count('not run') > 4
    assert '.png' not in text
    write_pages(suite, places, State.read(places))
    assert places.tables.read_text() == text
    assert 'The end.' in places.page.read_text()


def test_pages_are_written_between_their_marks_again_and_again(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    suite = read_made(places)
    add_record(places, 'cars', 'plain', 0, 40.0)
    write_pages(suite, places, State.read(places))
    first = places.page.read_text()
    write_pages(suite, places, State.read(places))
    assert places.page.read_text() == first
    assert first.startswith('# Results\n')
    assert first.endswith('\n\nThe end.\n')
    assert '](results/made/cars/accuracy-parameters.png)' in page_section(places)
    assert '](cars/accuracy-parameters.png)' in places.tables.read_text()
    assert (places.documents / 'cars' / 'accuracy-parameters.png').read_bytes().startswith(b'\x89PNG')
    places.page.write_text('# Results\n')
    with pytest.raises(DataError, match='write the lines <!-- results:made:begin -->'):
        write_pages(suite, places, State.read(places))


def test_plots_are_drawn_from_what_there_is(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    suite = read_made(places)
    cars = suite.datasets[0]
    assert plots_of(suite, cars, State.read(places)) == []
    for seed in range(2):
        add_record(places, 'cars', 'plain', seed, 40.0 + seed)
    write_compact(places.calibration, {'datasets': {'cars': {'plain': {'ms': 100.0}}}})
    names = [plot.name for plot in plots_of(suite, cars, State.read(places))]
    assert names == ['cars/accuracy-parameters.png', 'cars/accuracy-time.png', 'cars/learning-curves.png']
    write_pages(suite, places, State.read(places))
    for name in names:
        assert 3_000 < (places.documents / name).stat().st_size < 60_000


def test_mean_curve_takes_the_points_that_all_runs_have() -> None:
    curves = {0: {'curve': [[10, 1.0], [20, 3.0]]}, 1: {'curve': [[20, 5.0], [30, 1.0]]}}
    found = mean_curve(curves)
    assert found is not None
    assert [values.tolist() for values in found] == [[20], [4.0], [3.0], [5.0]]
    assert mean_curve({}) is None
    assert mean_curve({0: {'curve': []}}) is None
