"""The official VisDrone-DET metric on plain text files."""

from pointkd.evaluation.visdrone.evaluate import evaluate_folders, evaluate_images
from pointkd.evaluation.visdrone.rules import CLASSES, METRICS, SIZES
from pointkd.evaluation.visdrone.scoring import Report

__all__ = ['CLASSES', 'METRICS', 'SIZES', 'Report', 'evaluate_folders', 'evaluate_images']
