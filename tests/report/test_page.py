"""The HTML page: everything inline, everything escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from pointkd.core.errors import DataError
from pointkd.report.curves import draw_curves, running_mean
from pointkd.report.page import Page, cell_text


class Balanced(HTMLParser):
    """Checks that tags close in order."""

    VOID = frozenset({'meta', 'img', 'br'})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text)


def parse(text: str) -> Balanced:
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    return parser


def test_page_is_well_formed_escaped_and_offline(tmp_path):
    draw_curves(tmp_path / 'c.png', {'a': [(0, 1.0), (1, 2.0)]}, x_label='iteration', y_label='loss')
    page = Page('A & B <net>', 'lead')
    page.heading('Accuracy')
    page.paragraph('x < y')
    page.table(['net', 'AP', 'params'], [['student', 41.26, 1000], ['distilled <1>', 44.0, None]], best=[1])
    page.picture(tmp_path / 'c.png', 'a "curve"')
    page.code('pointkd train <CONFIG>')
    page.write(tmp_path / 'report.html')
    text = (tmp_path / 'report.html').read_text()
    parsed = parse(text)
    assert 'A & B <net>' in parsed.texts
    assert 'distilled <1>' in parsed.texts
    assert re.findall(r'<td class=best>([^<]*)', text) == ['44.0']
    assert '41.3' in text
    assert '1,000' in text
    assert not re.search(r'(?:src|href)="?(?:https?:)?//', text)
    assert '://' not in text


def test_curves_refuse_nothing(tmp_path):
    with pytest.raises(DataError, match='no points'):
        draw_curves(tmp_path / 'c.png', {'a': []}, x_label='x', y_label='y')
    assert not (tmp_path / 'c.png').exists()


def test_cells_and_means():
    assert [cell_text(cell) for cell in (0.0, -2.25, 'a', None, 12)] == ['0.0', '-2.2', 'a', '-', '12']
    assert running_mean([], 3) == []
