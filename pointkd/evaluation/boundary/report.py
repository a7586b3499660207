"""Boundary scores as a report in percent, and as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pointkd.evaluation.boundary.counts import BoundaryCounts
from pointkd.evaluation.boundary.rules import BoundaryRules
from pointkd.evaluation.boundary.scores import mean_defined, scores

Report = dict[str, Any]


def boundary_report(counts: BoundaryCounts, classes: Sequence[str], rules: BoundaryRules | None = None) -> Report:
    """Return the scores of a set, in percent, None where undefined.

    Args:
        counts: of the whole set.
        classes: their names.
        rules: what was counted by.

    Returns:
        `boundary`: `trimap_mIoU` {radius}, `F`, `boundary_IoU`, means over classes; `boundary_classes`: `F` and
        `boundary_IoU` {class}.
    """
    found = scores(counts)
    radii = (rules or BoundaryRules()).trimap_radii
    trimaps = {f'{radius:g}': _percent(mean_defined(iou)) for radius, iou in zip(radii, found.trimap_iou, strict=True)}
    by_class = {'F': found.f, 'boundary_IoU': found.boundary_iou}
    means = {name: _percent(mean_defined(values)) for name, values in by_class.items()}
    return {
        'boundary': {'trimap_mIoU': trimaps, **means},
        'boundary_classes': {
            name: {own: _percent(value) for own, value in zip(classes, values.tolist(), strict=True)}
            for name, values in by_class.items()
        },
    }


def boundary_table(report: Mapping[str, Any]) -> str:
    """Return a boundary report as text: a row for each class, then the means."""
    columns, means = report['boundary_classes'], report['boundary']
    rows = [(name, [column[name] for column in columns.values()]) for name in columns['F']]
    rows.append(('mean', [means['F'], means['boundary_IoU']]))
    lines = [f'{"class":<20}{"F":>8}{"bIoU":>8}']
    lines += [f'{name:<20}' + ''.join(f'{shown(value):>8}' for value in values) for name, values in rows]
    return '\n'.join([*lines, trimap_sentence(report)])


def trimap_sentence(report: Mapping[str, Any]) -> str:
    """Return the mIoU of the trimaps in one line."""
    trimaps = report['boundary']['trimap_mIoU']
    return 'mIoU in trimaps: ' + ', '.join(f'{radius} px {shown(value)}' for radius, value in trimaps.items())


def shown(value: float | None) -> str:
    """Return a number with two decimals, `-` where undefined."""
    return '-' if value is None else f'{value:.2f}'


def _percent(share: float | None) -> float | None:
    """Return a share in percent, None for NaN."""
    return None if share is None or np.isnan(share) else 100 * share
