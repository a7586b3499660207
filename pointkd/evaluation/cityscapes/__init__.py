"""The official pixel-level metric of Cityscapes, and boundary metrics beside it."""

from pointkd.evaluation.cityscapes.counts import CityscapesCounter, CityscapesCounts
from pointkd.evaluation.cityscapes.evaluate import evaluate_folders
from pointkd.evaluation.cityscapes.rules import CATEGORIES, CLASSES, IDS, INSTANCE_CLASSES, TRAIN_IDS
from pointkd.evaluation.cityscapes.scoring import Report, report

__all__ = [
    'CATEGORIES',
    'CLASSES',
    'IDS',
    'INSTANCE_CLASSES',
    'TRAIN_IDS',
    'CityscapesCounter',
    'CityscapesCounts',
    'Report',
    'evaluate_folders',
    'report',
]
