"""The sets from which local graphs are drawn: elements of a sample (or of a batch), with their importance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Feature, Logits, Map, Rows
from pointkd.distill.functional import spatial_order
from pointkd.distill.functional.precision import widen

SCORES = ('counts', 'log_counts', 'channel_max', 'confidence')


@dataclass(frozen=True)
class CandidateSet:
    """Elements that may be centres and neighbours of each other, in an order that doesn't depend on how they came.

    Attributes:
        places: (M,) int64, where they stand among the rows of the batch.
        positions: (M, 3).
        score: (M,) importance.
    """

    places: Tensor
    positions: Tensor
    score: Tensor


@dataclass(frozen=True)
class Candidates:
    """The elements of a batch.

    Attributes:
        student: (T, C_S) rows, with gradient.
        teacher: (T, C_T).
        sets: in which graphs are drawn: one a sample, or one for the whole batch.
    """

    student: Tensor
    teacher: Tensor
    sets: list[CandidateSet]


def candidates(
    student: Feature, teacher: Feature, score: str | None, confidence: Feature | None, whole_batch: bool
) -> Candidates:
    """Return the elements of two features with one set a sample, or one for the whole batch.

    Args:
        student: feature on the same elements as the teacher's.
        teacher: feature.
        score: kind of importance; None for log-counts where counts are known, else the largest channel.
        confidence: the teacher's class score maps, for that score.
        whole_batch: join the samples, in their order.

    Raises:
        ConfigError: the feature can't have this score.
    """
    ours, theirs = student.rows(), teacher.rows()
    if theirs.positions is None:
        raise ConfigError(f'local graphs need elements with positions; {type(teacher).__name__} has none')
    counts = theirs.counts if theirs.counts is not None else ours.counts
    positions = theirs.positions.detach()
    rows = Rows(widen(theirs.values.detach()), positions, counts)
    sets = []
    for sample, places in enumerate(teacher.places()):
        if not isinstance(teacher, Map):  # a map's cells have an order
            places = places[spatial_order(positions[places])]
        importance = _importance(rows.take(places), score, confidence, sample, teacher)
        sets.append(CandidateSet(places, positions[places], importance))
    if whole_batch and sets:
        names = ('places', 'positions', 'score')
        sets = [CandidateSet(**{name: torch.cat([getattr(entry, name) for entry in sets]) for name in names})]
    return Candidates(widen(ours.values), rows.values, sets)


def _importance(rows: Rows, score: str | None, confidence: Feature | None, sample: int, teacher: Feature) -> Tensor:
    """Return the importance (M,) of one sample's elements."""
    if score is None:
        score = 'channel_max' if rows.counts is None else 'log_counts'
    if score == 'channel_max':
        return rows.values.amax(1) if len(rows) else rows.values.sum(1)
    if score == 'confidence':
        assert confidence is not None  # its tap is part of the settings
        return confidence_at(rows, confidence, sample, teacher)
    if rows.counts is None:
        raise ConfigError(
            f'score={score!r}: {type(teacher).__name__} has no point counts here; tap the voxel encoder, or use '
            "score='channel_max'"
        )
    counts = rows.counts.double()
    return counts if score == 'counts' else counts.clamp(min=1).log()


def confidence_at(rows: Rows, confidence: Feature, sample: int, teacher: Feature) -> Tensor:
    """Return the teacher's largest class probability in the cell of each element, 0 outside the score map.

    Args:
        rows: elements with positions in metres (cell numbers where no grid is known).
        confidence: class scores (N, A·C, H, W), of sigmoid heads as a plain map or as logits.
        sample: number of the sample.
        teacher: the feature that the elements come from.

    Raises:
        ConfigError: the scores are no map, or nothing says which cell an element lies in.
    """
    if confidence.values.ndim != 4:
        raise ConfigError(f'confidence: expected maps of class scores, got shape {tuple(confidence.values.shape)}')
    scores = widen(confidence.values[sample].detach())  # (A*C, H, W)
    if isinstance(confidence, Logits) and confidence.activation == 'softmax':
        scores = scores.unflatten(0, (-1, confidence.num_classes)).softmax(1).flatten(0, 1)
    else:
        scores = scores.sigmoid()
    probability = scores.amax(0)  # (H, W)
    height, width = probability.shape
    positions = rows.positions
    assert positions is not None  # candidates() refuses elements without
    grid = getattr(confidence, 'grid', None)
    if grid is not None:
        y, x = grid.cells(positions)[:, 1:].unbind(1)
    elif isinstance(teacher, Map) and teacher.grid is None and teacher.values.shape[-2:] == probability.shape:
        x, y = positions[:, :2].long().unbind(1)
    else:
        raise ConfigError('confidence: the score map has no known grid, so elements have no cell in it')
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return probability[y.clamp(0, height - 1), x.clamp(0, width - 1)] * inside
