"""Compiled scanner of KITTI rows: bytes of many files in, numbers out, equal to `float()` to the last bit."""

from __future__ import annotations

import numpy as np

from pointkd.evaluation.jit import kernel

FINE, NOT_TEXT, NOT_A_NUMBER = 0, 1, 2  # what the scanner found
EXACT, LONG, WRONG = 0, 1, 2  # a number: exact, left to float(), or none

# Ten to the power 0..22 are exact doubles, so an integer below 2**53 times or over one of them is rounded once: right.
_POWERS = np.array([float(f'1e{power}') for power in range(23)])
_LARGEST = 2**53
_MOST_DIGITS = 18  # that an int64 holds; a number that has more is beyond _LARGEST


@kernel
def scan_rows(text, starts, names, columns):  # type: ignore[no-untyped-def]
    """Read the rows of all files that have enough columns.

    Args:
        text: (B,) uint8, the files one after the other.
        starts: (F+1,) int64, where each begins in it, and the end.
        names: (K, W) uint8, class names in lower case, filled up with zeros.
        columns: how many a row needs; shorter rows are dropped, what goes beyond is not looked at.

    Returns:
        codes (N,) int64: index of the row's class in names, or -1;
        values (N, columns-1) float64: the numbers; NaN where only `float()` is exact (very long or very large);
        row_starts (N,) int64: where the row begins in text;
        rows (F,) int64: rows of each file;
        dropped: rows with too few columns;
        found, place: FINE, or what is wrong and where in text.
    """
    files = starts.size - 1
    capacity = (text.size + files) // (2 * columns) + 1
    codes = np.empty(capacity, np.int64)
    values = np.empty((capacity, columns - 1), np.float64)
    row_starts = np.empty(capacity, np.int64)
    rows = np.zeros(files, np.int64)
    row, dropped, found, place = 0, 0, FINE, 0
    for file in range(files):
        end = starts[file + 1]
        at = _skip_mark(text, starts[file], end)
        while at < end and found == FINE:
            row_start = at
            at, width, code, found, place = _scan_line(text, at, end, names, values[row])
            if found == NOT_A_NUMBER and width < columns:
                found = FINE
            if width >= columns:
                codes[row], row_starts[row] = code, row_start
                rows[file] += 1
                row += 1
            elif width > 0:
                dropped += 1
    return codes[:row], values[:row], row_starts[:row], rows, dropped, found, place


@kernel
def _scan_line(text, at, end, names, numbers):  # type: ignore[no-untyped-def]
    """Read a line; return where the next begins, its columns, the class, and what is wrong where."""
    width, code, found, place = 0, -1, FINE, 0
    while at < end:
        byte = text[at]
        if byte == 10 or byte == 13:
            return at + 1, width, code, found, place
        if byte == 32 or byte == 9 or byte == 11 or byte == 12:
            at += 1
            continue
        start = at
        while at < end and text[at] > 32:
            at += 1
        if at == start:  # a control character
            return end, width, code, NOT_TEXT, start
        if width == 0:
            code = _class_code(text, start, at, names)
        elif width <= numbers.size:
            number, kind = _scan_number(text, start, at)
            numbers[width - 1] = number
            if kind == WRONG and found == FINE:
                found, place = NOT_A_NUMBER, start
        width += 1
    return end, width, code, found, place


@kernel
def _class_code(text, start, stop, names):  # type: ignore[no-untyped-def]
    """Return the index of a word in names, upper and lower case alike, or -1."""
    for code in range(names.shape[0]):
        length = 0
        while length < names.shape[1] and names[code, length] != 0:
            length += 1
        if length != stop - start:
            continue
        same = True
        for offset in range(length):
            byte = text[start + offset]
            if 65 <= byte <= 90:
                byte += 32
            same = same and byte == names[code, offset]
        if same:
            return code
    return -1


@kernel
def _scan_number(text, start, stop):  # type: ignore[no-untyped-def]
    """Return the value of a decimal number and EXACT, or NaN and LONG (a number for float()) or WRONG (no number)."""
    at = start
    negative = text[at] == 45
    if negative or text[at] == 43:
        at += 1
    mantissa, digits, scale = np.int64(0), 0, 0
    seen, point = False, False
    while at < stop:
        byte = np.int64(text[at])
        if 48 <= byte <= 57:
            seen = True
            if mantissa > 0 or byte > 48:
                digits += 1
            if digits <= _MOST_DIGITS:
                mantissa = mantissa * 10 + (byte - 48)
            if point:
                scale -= 1
        elif byte == 46 and not point:
            point = True
        else:
            break
        at += 1
    exponent, ok = _scan_exponent(text, at, stop)
    if not (seen and ok):
        return np.nan, WRONG
    power = scale + exponent
    if mantissa > _LARGEST or power > 22 or power < -22:
        return np.nan, LONG
    value = np.float64(mantissa)
    value = value * _POWERS[power] if power >= 0 else value / _POWERS[-power]
    return (-value if negative else value), EXACT


@kernel
def _scan_exponent(text, at, stop):  # type: ignore[no-untyped-def]
    """Return the exponent that ends a number (0 where nothing is left), and whether the number ends well."""
    if at == stop:
        return 0, True
    if text[at] != 101 and text[at] != 69:
        return 0, False
    at += 1
    negative = at < stop and text[at] == 45
    if negative or (at < stop and text[at] == 43):
        at += 1
    if at == stop:
        return 0, False
    exponent = np.int64(0)
    while at < stop:
        if not 48 <= text[at] <= 57:
            return 0, False
        if exponent < 10_000:  # beyond, only that it is large matters
            exponent = exponent * 10 + (np.int64(text[at]) - 48)
        at += 1
    return (-exponent if negative else exponent), True


@kernel
def _skip_mark(text, at, end):  # type: ignore[no-untyped-def]
    """Return where a file's text begins: behind the byte order mark that some editors put there."""
    if end - at >= 3 and text[at] == 0xEF and text[at + 1] == 0xBB and text[at + 2] == 0xBF:
        return at + 3
    return at
