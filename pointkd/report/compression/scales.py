"""A picture of how the scales of batch norms spread over a sparsity training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pointkd.compress.sparsity import BINS, HIGHEST
from pointkd.core.errors import DataError


def draw_scales(path: str | Path, sparsity: Mapping[str, Any]) -> None:
    """Draw histograms of |γ| over epochs into a PNG: a column an epoch, dark where many scales lie.

    Args:
        path: file to write.
        sparsity: content of `sparsity.json`.

    Raises:
        DataError: it holds no histogram.
    """
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    history = sparsity.get('history')
    if not history:
        raise DataError(f'{path}: the sparsity training left no histogram')
    counts = np.array([entry['histogram'] for entry in history], dtype=float).T  # (bins, times)
    figure, axes = pyplot.subplots(figsize=(7.5, 4.0), dpi=110)
    edges = np.linspace(0, HIGHEST, BINS + 1)
    times = np.arange(counts.shape[1] + 1) + 0.5
    mesh = axes.pcolormesh(times, edges, np.log10(1 + counts), cmap='Blues')
    ticks = np.unique(np.linspace(0, len(history) - 1, min(8, len(history))).astype(int))
    axes.set_xticks(ticks + 1, [str(history[tick]['at']) for tick in ticks])
    axes.set_xlabel(str(sparsity.get('unit', 'epoch')))
    axes.set_ylabel('|γ|')
    figure.colorbar(mesh, label='log10(1 + number of scales)')
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
