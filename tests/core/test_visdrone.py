"""Reading and writing VisDrone files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointkd.core.errors import DataError
from pointkd.core.visdrone import bad_rows, read_rows, result_rows, write_rows

ROWS = st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=8, max_size=8), max_size=5)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_numbers_are_those_that_python_reads(tmp_path: Path, rows: list[list[float]]) -> None:
    path = tmp_path / 'rows.txt'
    path.write_text(''.join(','.join(map(repr, row)) + '\n' for row in rows))
    np.testing.assert_array_equal(read_rows(path), np.array(rows).reshape(-1, 8))
    assert bad_rows(path) == []


def test_labels_come_back(tmp_path: Path) -> None:
    rows = np.array([[1, 2, 3, 4, 1, 4, 0, 2], [5, 6, 7.5, 8, 0, 0, 0, 0]], dtype=float)
    write_rows(tmp_path / 'a.txt', rows)
    assert (tmp_path / 'a.txt').read_text() == '1,2,3,4,1,4,0,2\n5,6,7.5,8,0,0,0,0\n'
    np.testing.assert_array_equal(read_rows(tmp_path / 'a.txt'), rows)


def test_results_are_written_by_falling_score(tmp_path: Path) -> None:
    boxes = np.array([[0, 0, 10, 20.5], [1.234, 2, 4.567, 4], [5, 5, 6, 6]])
    rows = result_rows(boxes, np.array([0.25, 0.5, 0.25]), np.array([1, 10, 4]))
    write_rows(tmp_path / 'a.txt', rows)
    assert (
        tmp_path / 'a.txt'
    ).read_text() == '1.23,2,3.33,2,0.5,10,-1,-1\n0,0,10,20.5,0.25,1,-1,-1\n5,5,1,1,0.25,4,-1,-1\n'
    np.testing.assert_array_equal(read_rows(tmp_path / 'a.txt'), rows)


def test_no_results(tmp_path: Path) -> None:
    write_rows(tmp_path / 'a.txt', result_rows(np.zeros((0, 4)), np.zeros(0), np.zeros(0)))
    assert (tmp_path / 'a.txt').read_text() == ''
    assert read_rows(tmp_path / 'a.txt').shape == (0, 8)


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'a.txt'
    path.write_text('1,2,3\n\n1,2,3,4,5,6,7,8\n1,2,3,4,5,6,7,x\n')
    assert bad_rows(path) == [
        (f'{path}:1', 'expected 8 columns or more, got 3'),
        (f'{path}:4', "every column must be a finite number, got 'x'"),
    ]
    with pytest.raises(DataError, match=r'a\.txt:1: expected 8 columns or more, got 3'):
        read_rows(path)
    with pytest.raises(DataError, match=r'nowhere\.txt: can not be read'):
        read_rows(tmp_path / 'nowhere.txt')
