"""One HTML file that opens offline: headings, tables and pictures, everything inline."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pointkd.core.files import write_text

STYLE = Path(__file__).with_name('page.css')

Cell = str | float | int | None


@dataclass
class Page:
    """A report under construction.

    Args:
        title: heading and window title.
        lead: the sentence under it.
    """

    title: str
    lead: str = ''
    parts: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Start a section."""
        self.parts.append(f'<h2>{html.escape(text)}</h2>')

    def paragraph(self, text: str) -> None:
        """Add a paragraph of plain text."""
        self.parts.append(f'<p>{html.escape(text)}</p>')

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Cell]], *, best: Sequence[int] = ()) -> None:
        """Add a table; the first column names the row.

        Args:
            header: column titles.
            rows: cells; floats get one or three decimals by size, None becomes a dash.
            best: columns in which the highest number is marked.
        """
        numbers = {column: [row[column] for row in rows if is_number(row[column])] for column in best}
        top = {column: max(cells) for column, cells in numbers.items() if cells}  # type: ignore[type-var]
        lines = ['<table><thead><tr>', *(f'<th>{html.escape(title)}</th>' for title in header), '</tr></thead><tbody>']
        for row in rows:
            cells = [f'<th scope="row">{html.escape(cell_text(row[0]))}</th>']
            for column, cell in enumerate(row[1:], start=1):
                marked = is_number(cell) and top.get(column) == cell
                cells.append(f'<td{" class=best" if marked else ""}>{html.escape(cell_text(cell))}</td>')
            lines += ['<tr>', *cells, '</tr>']
        self.parts.append('<div class=scroll>' + ''.join([*lines, '</tbody></table>']) + '</div>')

    def picture(self, path: Path, caption: str) -> None:
        """Embed a PNG file with a caption."""
        content = base64.b64encode(path.read_bytes()).decode('ascii')
        text = html.escape(caption)
        self.parts.append(
            f'<figure><img alt="{text}" src="data:image/png;base64,{content}"><figcaption>{text}</figcaption></figure>'
        )

    def code(self, text: str) -> None:
        """Add commands or a config as they are."""
        self.parts.append(f'<pre>{html.escape(text)}</pre>')

    def render(self) -> str:
        """Return the page as HTML."""
        title = html.escape(self.title)
        return (
            '<!doctype html><html lang=en><head><meta charset=utf-8>'
            '<meta name=viewport content="width=device-width,initial-scale=1">'
            f'<title>{title}</title><style>{STYLE.read_text(encoding="utf-8")}</style></head><body><main>'
            f'<h1>{title}</h1><p class=lead>{html.escape(self.lead)}</p>'
            + ''.join(self.parts)
            + '</main></body></html>\n'
        )

    def write(self, path: str | Path) -> None:
        """Write the page to a file, whole or not at all."""
        write_text(path, self.render())


def is_number(cell: Cell) -> bool:
    """Return whether a cell is a number."""
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def cell_text(cell: Cell) -> str:
    """Return how a cell is printed.

    Example:
        >>> cell_text(61.234), cell_text(0.01234), cell_text(1217000), cell_text(None)
        ('61.2', '0.012', '1,217,000', '-')
    """
    if cell is None:
        return '-'
    if isinstance(cell, float):
        return f'{cell:.1f}' if abs(cell) >= 1 or cell == 0 else f'{cell:.3f}'
    return f'{cell:,}' if isinstance(cell, int) else cell
