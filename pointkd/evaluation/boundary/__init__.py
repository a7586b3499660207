"""Metrics of what happens where labels meet: trimap IoU, F measure, Boundary IoU; any classes, any label images."""

from pointkd.evaluation.boundary.borders import VOID
from pointkd.evaluation.boundary.counts import BoundaryCounter, BoundaryCounts, count_image
from pointkd.evaluation.boundary.report import boundary_report, boundary_table
from pointkd.evaluation.boundary.rules import BoundaryRules
from pointkd.evaluation.boundary.scores import BoundaryScores, mean_defined, scores

__all__ = [
    'VOID',
    'BoundaryCounter',
    'BoundaryCounts',
    'BoundaryRules',
    'BoundaryScores',
    'boundary_report',
    'boundary_table',
    'count_image',
    'mean_defined',
    'scores',
]
