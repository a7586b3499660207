"""Curves of training, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pointkd.core.errors import DataError

COLOURS = ('#1f6fb2', '#c2531c', '#2a8a57', '#8a4fa3', '#7a6a2b')


def draw_curves(
    path: str | Path,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x_label: str,
    y_label: str,
    smooth: int = 1,
) -> None:
    """Draw curves into a PNG.

    Args:
        path: file to write.
        curves: points (x, y) by name.
        x_label: of the axis, with its unit.
        y_label: of the axis, with its unit.
        smooth: points of a running mean over y.

    Raises:
        DataError: there is no point at all.
    """
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    if not any(len(points) for points in curves.values()):
        raise DataError(f'{path}: there are no points to draw')
    figure, axes = pyplot.subplots(figsize=(7.5, 4.0), dpi=110)
    for colour, (name, points) in zip(COLOURS * len(curves), curves.items(), strict=False):
        x = [point[0] for point in points]
        y = running_mean([point[1] for point in points], smooth)
        axes.plot(x, y, label=name, color=colour, linewidth=1.6)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.25)
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def running_mean(values: Sequence[float], window: int) -> list[float]:
    """Return the mean of each value and up to `window - 1` before it.

    Example:
        >>> running_mean([1, 3, 5], 2)
        [1.0, 2.0, 4.0]
    """
    means = []
    for index in range(len(values)):
        part = values[max(0, index - window + 1) : index + 1]
        means.append(sum(part) / len(part))
    return means
