"""What a training's log says: its learning curve, its last losses, its time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pointkd.report.results.changes import CURVE_POINTS


@dataclass(frozen=True)
class History:
    """A training in numbers.

    Attributes:
        curve: iteration, detection loss (mean since the point before), at most 50 points.
        losses: every loss at the end.
        seconds: spent in iterations, over all attempts that the result is made of.
    """

    curve: list[list[float]]
    losses: dict[str, float]
    seconds: float


def read_history(folder: Path, losses: Sequence[str]) -> History:
    """Return the history of a run's work folder; where a resumed run repeats an iteration, the later one counts.

    Args:
        folder: work folder.
        losses: names of the detection losses.
    """
    entries: dict[int, dict[str, float]] = {}
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text(encoding='utf-8').splitlines():
            entry = _parsed(line)
            if 'step' in entry and 'loss' in entry:
                entries[int(entry['step'])] = entry
    steps = sorted(entries)
    curve = [[step, round(sum(entries[step].get(name, 0.0) for name in losses), 4)] for step in steps]
    seconds = sum(
        entries[step].get('time', 0.0) * (step - before) for before, step in zip([0, *steps], steps, strict=False)
    )
    last = entries[steps[-1]] if steps else {}
    final = {name: round(value, 5) for name, value in last.items() if name.startswith('loss')}
    return History(thinned(curve, CURVE_POINTS), final, round(seconds, 1))


def thinned(points: list[list[float]], most: int) -> list[list[float]]:
    """Return at most so many points, evenly chosen, the last one among them.

    Example:
        >>> thinned([[1, 0.5], [2, 0.4], [3, 0.3], [4, 0.2]], 2)
        [[2, 0.4], [4, 0.2]]
    """
    if len(points) <= most:
        return points
    return [points[(number + 1) * len(points) // most - 1] for number in range(most)]


def _parsed(line: str) -> dict[str, float]:
    """Return a line of the log; nothing where a kill cut it short."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
