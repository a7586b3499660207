"""The scanner: numbers equal to float() to the last bit, rows as the official program takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.kitti_sets import row
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.errors import DataError
from pointkd.evaluation.kitti.folders import read_table
from pointkd.evaluation.kitti.objects import ObjectTable
from pointkd.evaluation.kitti.rules import DONT_CARE, OTHER


def read(folder: Path, text: str | bytes, scored: bool = False) -> tuple[ObjectTable, int]:
    path = folder / 'rows.txt'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table([str(path)], scored)


def read_words(folder: Path, words: list[str]) -> np.ndarray:
    """Read words as the first number of label rows: a row of its own each, as one long number has its row read anew."""
    return read(folder, ''.join(f'Car {word}{" 0" * 13}\n' for word in words))[0].values[:, 0].copy()


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.tuples(st.floats(-1e6, 1e6), st.integers(0, 12)).map(lambda pair: f'{pair[0]:.{pair[1]}f}'),
    st.tuples(st.floats(-1e30, 1e30), st.integers(0, 20)).map(lambda pair: f'{pair[0]:.{pair[1]}e}'),
    st.from_regex(r'[+-]?([0-9]{1,25}\.?[0-9]{0,25}|\.[0-9]{1,25})([eE][+-]?[0-9]{1,2})?', fullmatch=True),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(NUMBERS, min_size=1, max_size=60))
def test_numbers_equal_float_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    values = read_words(tmp_path_factory.getbasetemp(), words)
    expected = np.array([float(word) for word in words])
    np.testing.assert_array_equal(values.view(np.int64), expected.view(np.int64))


def test_every_usual_decimal_equals_float(tmp_path: Path) -> None:
    """All of 0.0000 .. 9.9999, and larger ones, as results write them."""
    words = [f'{number / 10_000:.4f}' for number in range(100_000)]
    words += [f'{number / 100:.2f}' for number in range(-100_000, 150_000, 7)]
    np.testing.assert_array_equal(read_words(tmp_path, words), [float(word) for word in words])


@pytest.mark.parametrize(
    'word',
    [
        '9007199254740993',
        '900719925474099.3',
        '1234567890123456789e-15',
        '0.1e-22',
        '1e23',
        '123456789012345678901234567890',
        '1e-400',
        '-0',
    ],
)
def test_border_numbers(word: str, tmp_path: Path) -> None:
    value = read_words(tmp_path, [word])[0]
    assert value == float(word)
    assert np.signbit(value) == np.signbit(float(word))


@pytest.mark.parametrize(
    'word', ['x', '1.2.3', '1e', '1e+', '.', '+', '--1', '1_0', '0x10', '1,5', 'nan', 'NaN', 'inf', '-Infinity', '1.0f']
)
def test_what_is_no_finite_number_is_refused_with_file_and_line(word: str, tmp_path: Path) -> None:
    text = row('Car') + '\n' + row('Car').replace(' 1.5 ', f' {word} ')
    with pytest.raises(DataError, match=r'rows\.txt:3: every column after the class must be a finite number') as error:
        read(tmp_path, text)
    assert repr(word) in str(error.value)


def test_overflow_is_refused(tmp_path: Path) -> None:
    table, _ = read(tmp_path, row('Car').replace(' 1.5 ', ' 1e999 '))
    with pytest.raises(DataError, match=r'rows\.txt:1: every number must be finite'):
        table.check_labels()


def test_class_names_compare_without_case(tmp_path: Path) -> None:
    names = ['Car', 'CAR', 'car', 'Person_Sitting', 'DONTCARE', 'Cars', 'Ca', 'Truck', 'Fußgänger']
    codes = read(tmp_path, ''.join(row(name) for name in names))[0].codes
    assert codes.tolist() == [0, 0, 0, 4, DONT_CARE, OTHER, OTHER, OTHER, OTHER]


def test_short_rows_are_dropped_and_counted(tmp_path: Path) -> None:
    label = row('Car')
    table, dropped = read(tmp_path, label + row('Car', score=0.5) + 'Car 0 x\n', scored=True)
    assert (len(table), dropped) == (1, 2)
    assert table.scores.tolist() == [0.5]


def test_blank_lines_extra_columns_tabs_and_line_ends_do_no_harm(tmp_path: Path) -> None:
    first, second = row('Car').strip(), row('Van').strip()
    plain = read(tmp_path, f'{first}\n{second}\n')[0]
    for text in (
        f'\n  \n{first} 0.5 more words\n\n{second}',
        f'{first}\r\n{second}\r\n',
        f'{first}\r{second}\r',
        '\ufeff' + f'{first}\n{second}\n'.replace(' ', '\t  '),
    ):
        table, dropped = read(tmp_path, text)
        np.testing.assert_array_equal(table.values, plain.values)
        assert table.codes.tolist() == [0, 3]
        assert dropped == 0


@pytest.mark.parametrize('text', [b'\x00\x01\x02', row('Car').encode() + b'Car 0.0\x00', row('Car').encode('utf-16')])
def test_a_binary_file_is_refused(text: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'rows\.txt:\d: is not a text file'):
        read(tmp_path, text)


def test_files_stay_apart(tmp_path: Path) -> None:
    """Also without a line end at the end of a file, with empty files and with frames that have none."""
    for name, text in (('a', row('Car').strip()), ('b', ''), ('c', row('Van') + row('Car'))):
        (tmp_path / f'{name}.txt').write_text(text)
    table, _ = read_table([f'{tmp_path}/a.txt', f'{tmp_path}/b.txt', None, f'{tmp_path}/c.txt'], scored=False)
    assert table.starts.tolist() == [0, 1, 1, 1, 3]
    assert table.codes.tolist() == [0, 3, 0]
    assert table.place(2) == f'{tmp_path}/c.txt:2'


def test_large_file(tmp_path: Path) -> None:
    """A file longer than one read."""
    text = ''.join(row('Car', at=index) for index in range(3000))
    table, _ = read(tmp_path, text)
    np.testing.assert_array_equal(table.values[:, 3], 100.0 * np.arange(3000))
