"""A cloud and boxes from above, drawn without a display."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pointkd.core.boxes import box_corners
from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError
from pointkd.core.files import atomic_write

BACKGROUND = '#0f141b'
LINES = '#2b3644'
TEXT = '#c3ccd8'
POINTS = ('#33475f', '#5f86ad', '#a9c6e2')  # low, middle, high
COLOURS = ('#ffd24d', '#ff7f6b', '#4fe0c0', '#b79bff', '#7fb7ff')
PANEL_INCHES = 5.6


@dataclass(frozen=True)
class BoxSet:
    """Boxes that belong together: ground truth, a teacher's, a student's.

    Attributes:
        name: for the legend.
        boxes: (N, 7+) x, y, z (bottom), length, width, height, yaw; LiDAR frame, metres.
        captions: a short text a box, or none.
        colour: '#rrggbb'; by default each set gets its own.
    """

    name: str
    boxes: np.ndarray
    captions: Sequence[str] = ()
    colour: str | None = None


def draw_birdseye(
    path: str | Path,
    points: np.ndarray,
    sets: Sequence[BoxSet],
    *,
    extent: Sequence[float] | None = None,
    title: str = '',
    side_by_side: bool = False,
) -> None:
    """Draw a cloud from above, x up and y to the left, with boxes whose front is marked, into a PNG.

    Args:
        path: file to write.
        points: (N, 3+) x, y, z in metres, LiDAR frame; coloured by height, left out where not finite.
        sets: boxes, drawn in this order.
        extent: x minimum, y minimum, x maximum, y maximum in metres; by default what holds the points.
        title: of the picture.
        side_by_side: a panel for each set, instead of all sets in one.

    Raises:
        ConfigError: the extent is empty.
        ShapeError: points or boxes of another width.
        StorageError: the file can't be written.
    """
    from matplotlib.figure import Figure

    check_shape(points, 'N C', 'points')
    points = points[np.isfinite(points[:, :3]).all(axis=1)]
    low_x, low_y, high_x, high_y = _extent(points) if extent is None else extent
    if not (high_x > low_x and high_y > low_y):
        raise ConfigError(f'extent {extent}: expected x minimum, y minimum, x maximum, y maximum')
    panels = [[entry] for entry in sets] if side_by_side and sets else [list(sets)]
    colours = {id(entry): entry.colour or COLOURS[number % len(COLOURS)] for number, entry in enumerate(sets)}
    height = (PANEL_INCHES - 0.6) * min(1.8, max(0.5, (high_x - low_x) / (high_y - low_y)))
    figure = Figure(
        figsize=(PANEL_INCHES * len(panels), height + 0.8), dpi=130, facecolor=BACKGROUND, layout='constrained'
    )
    for number, entries in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), number + 1)
        _prepare(axes, (low_x, low_y, high_x, high_y), first=number == 0)
        _draw_points(axes, points)
        for entry in entries:
            _draw_boxes(axes, entry, colours[id(entry)])
        _draw_legend(axes, entries, colours)
    if title:
        figure.suptitle(title, color=TEXT, fontsize=10, x=0.02, ha='left')
    content = io.BytesIO()
    figure.savefig(content, format='png', facecolor=BACKGROUND)
    with atomic_write(path) as file:
        file.write(content.getvalue())


def _extent(points: np.ndarray) -> tuple[float, float, float, float]:
    """Return the rectangle that holds nearly all points, a metre wider."""
    if not len(points):
        return -10.0, -10.0, 10.0, 10.0
    low, high = np.percentile(points[:, :2], [0.2, 99.8], axis=0)
    return float(low[0]) - 1, float(low[1]) - 1, float(high[0]) + 1, float(high[1]) + 1


def _prepare(axes: Any, extent: tuple[float, float, float, float], first: bool) -> None:
    """Style the axes: equal scale, x up, y to the left, rings around the sensor."""
    from matplotlib.patches import Circle

    low_x, low_y, high_x, high_y = extent
    axes.set_facecolor(BACKGROUND)
    axes.set_xlim(high_y, low_y)
    axes.set_ylim(low_x, high_x)
    axes.set_aspect('equal')
    step = 10 if max(high_x - low_x, high_y - low_y) <= 60 else 20
    reach = math.hypot(max(abs(low_x), abs(high_x)), max(abs(low_y), abs(high_y)))
    for radius in range(step, int(reach) + 1, step):
        axes.add_patch(Circle((0, 0), radius, fill=False, color=LINES, linewidth=0.7, zorder=0))
    axes.plot([0], [0], marker='^', color=TEXT, markersize=5, zorder=4, clip_on=True)
    axes.tick_params(colors=TEXT, labelsize=7, length=2, color=LINES)
    axes.spines[:].set_color(LINES)
    axes.set_xlabel('y, m', color=TEXT, fontsize=8)
    if first:
        axes.set_ylabel('x (forward), m', color=TEXT, fontsize=8)


def _draw_points(axes: Any, points: np.ndarray) -> None:
    """Scatter the points, higher ones brighter."""
    from matplotlib.colors import LinearSegmentedColormap

    height = points[:, 2]
    low, high = np.percentile(height, [2, 98]) if len(points) else (0.0, 1.0)
    order = np.argsort(height)
    axes.scatter(
        points[order, 1],
        points[order, 0],
        c=height[order],
        s=max(0.25, min(3.0, 20000 / max(len(points), 1))),
        cmap=LinearSegmentedColormap.from_list('height', POINTS),
        vmin=low,
        vmax=max(high, low + 1e-3),
        linewidths=0,
        zorder=1,
    )


def _draw_boxes(axes: Any, entry: BoxSet, colour: str) -> None:
    """Outline the boxes, tint them, and mark where they head."""
    from matplotlib.collections import LineCollection, PolyCollection

    if not len(entry.boxes):
        return
    corners = box_corners(entry.boxes[:, :7])[:, :4]  # (N, 4, 3): front left, rear left, rear right, front right
    plan = corners[..., [1, 0]]
    front = (corners[:, 0] + corners[:, 3])[:, [1, 0]] / 2
    centre = corners[..., [1, 0]].mean(axis=1)
    tip = front + (front - centre) * 0.35
    axes.add_collection(PolyCollection(plan, facecolors=colour + '2a', edgecolors=colour, linewidths=1.1, zorder=3))
    axes.add_collection(LineCollection(np.stack([centre, tip], axis=1), colors=colour, linewidths=1.1, zorder=3))
    for text, place in zip(entry.captions, corners[:, :, [1, 0]].max(axis=1), strict=False):
        axes.annotate(text, place, color=colour, fontsize=6, xytext=(-2, 2), textcoords='offset points', clip_on=True)


def _draw_legend(axes: Any, entries: Sequence[BoxSet], colours: dict[int, str]) -> None:
    """Name the sets above the picture, with their numbers of boxes."""
    from matplotlib.patches import Patch

    handles = [
        Patch(
            facecolor=colours[id(entry)] + '2a',
            edgecolor=colours[id(entry)],
            label=f'{entry.name} ({len(entry.boxes)})',
        )
        for entry in entries
    ]
    if handles:
        axes.legend(
            handles=handles,
            loc='lower left',
            bbox_to_anchor=(0, 1.0),
            ncols=len(handles),
            frameon=False,
            labelcolor=TEXT,
            fontsize=8,
            handlelength=1.2,
            borderaxespad=0.2,
        )
