"""report.html of a pruned network: sizes, latency, accuracy by stage, scales over epochs, every layer."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pointkd.core.errors import DataError
from pointkd.report.compression.scales import draw_scales
from pointkd.report.page import Cell, Page

RECORD, ACCURACY, REPORT = 'prune.json', 'accuracy.json', 'report.html'
STAGES = ('dense', 'sparse', 'pruned', 'fine-tuned', 'distilled')


def write_report(folder: str | Path, path: str | Path | None = None) -> Path:
    """Write report.html from what pruning left in a folder.

    Args:
        folder: with `prune.json`; `accuracy.json` (metrics by stage) is shown where it is there.
        path: the page; by default `report.html` in the folder.

    Returns:
        The page.

    Raises:
        DataError: there is no record, or it is broken.
    """
    folder = Path(folder)
    record = read_json(folder / RECORD)
    page = Page('Pruned network', lead(record))
    page.heading('What it saves')
    page.table(('', 'dense', 'pruned', 'ratio'), saving_rows(record))
    page.paragraph(counting(record))
    if (folder / ACCURACY).is_file():
        page.heading('Accuracy')
        accuracy = read_json(folder / ACCURACY)
        page.table(('', *metric_names(accuracy)), accuracy_rows(accuracy))
    if record['sparsity']:
        _scales(page, record['sparsity'])
    page.heading('Layer by layer')
    header = ('', 'channels in', 'channels out', 'parameters', 'after', 'multiply-adds', 'after')
    page.table(header, layer_rows(record))
    if record['left_whole']:
        page.heading('Left whole')
        page.table(('', 'why'), [[name, reason] for name, reason in record['left_whole'].items()])
    if record['folding']:
        _folding(page, record['folding'])
    target = Path(path) if path is not None else folder / REPORT
    page.write(target)
    return target


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file that is a dict.

    Raises:
        DataError: it is missing or broken.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise DataError(f'{path}: can not be read ({error})') from error
    if not isinstance(content, dict):
        raise DataError(f'{path}: expected a dict, got a {type(content).__name__}')
    return content


def lead(record: Mapping[str, Any]) -> str:
    """Return the result in two sentences."""
    shares = [1 - after / before for before, after in (record['params'], record['macs'])]
    target = ', '.join(f'{name} {value:g}' for name, value in record['target'].items())
    settings = record['settings']
    scope = 'each layer alike' if settings['scope'] == 'layer' else 'all together'
    return (
        f'{shares[0]:.1%} fewer parameters and {shares[1]:.1%} fewer multiply-adds, asked for by {target}. '
        f'Channels were ranked by {settings["importance"]}, {scope}; before any training the network equals the dense '
        f'one with the dropped channels at zero to {record["difference"]:.1g}.'
    )


def saving_rows(record: Mapping[str, Any]) -> list[list[Cell]]:
    """Return a row a cost: dense, pruned and their ratio."""
    rows: list[list[Cell]] = []
    for name, title in (('params', 'parameters'), ('macs', 'multiply-adds')):
        before, after = record[name]
        rows.append([title, before, after, f'{after / before:.2f}'])
    if record['latency']:
        before, after = record['latency']['dense'], record['latency']['pruned']
        ratio = f'{after["median_ms"] / before["median_ms"]:.2f}'
        rows.append(['ONNX Runtime, ms', _spread(before), _spread(after), ratio])
    return rows


def counting(record: Mapping[str, Any]) -> str:
    """Return what the numbers were taken on."""
    height, width = record['input_size']
    text = f'Multiply-adds of convolutions and linear layers for one input of {height} x {width}.'
    if record['latency']:
        threads, runs = record['measuring']['threads'], record['latency']['dense']['runs']
        text += (
            f' Latency of the raw maps of one input, median and 10th to 90th percentile of {runs} runs in turns, on '
            f'{threads or "all"} thread{"" if threads == 1 else "s"} of {record["cores"]} cores.'
        )
    return text


def metric_names(accuracy: Mapping[str, Any]) -> list[str]:
    """Return the metrics that any stage has, in order."""
    return list(dict.fromkeys(name for stage in accuracy.values() for name in stage))


def accuracy_rows(accuracy: Mapping[str, Any]) -> list[list[Cell]]:
    """Return a row a stage, known ones in their order."""
    stages = [stage for stage in STAGES if stage in accuracy] + [stage for stage in accuracy if stage not in STAGES]
    return [[stage, *(accuracy[stage].get(name) for name in metric_names(accuracy))] for stage in stages]


def layer_rows(record: Mapping[str, Any]) -> list[list[Cell]]:
    """Return a row a layer."""
    rows: list[list[Cell]] = []
    for layer in record['layers']:
        before, after = layer['channels']
        channels = [f'{one} → {other}' if one != other else str(one) for one, other in zip(before, after, strict=True)]
        rows.append([layer['layer'], *channels, *layer['params'], *layer['macs']])
    return rows


def _spread(latency: Mapping[str, float]) -> str:
    """Return a latency with its spread."""
    return f'{latency["median_ms"]:.2f} ({latency["p10_ms"]:.2f} to {latency["p90_ms"]:.2f})'


def _scales(page: Page, sparsity: Mapping[str, Any]) -> None:
    """Add the picture of the scales over the sparsity training."""
    page.heading('Scales of batch norms over the sparsity training')
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / 'scales.png'
        draw_scales(picture, sparsity)
        page.picture(picture, f'How many |γ| of {len(sparsity["layers"])} batch norms lie where, by {sparsity["unit"]}')
    last = sparsity['history'][-1]
    page.paragraph(f'{last["near_zero"]:.1%} of all scales are below 0.001 after {sparsity["unit"]} {last["at"]}.')


def _folding(page: Page, folding: Mapping[str, Any]) -> None:
    """Add what became of the constants of dead channels."""
    page.heading('Constants of dead channels')
    rows: list[list[Cell]] = [
        [name, count, folding['border'].get(name, 'exact')] for name, count in folding['channels'].items()
    ]
    rows += [[name, None, reason] for name, reason in folding['left'].items()]
    if rows:
        page.table(('read by', 'folded', 'largest error at the border'), rows)
    else:
        page.paragraph('No dropped channel was a constant.')
