"""The names and numbers of the VisDrone-DET benchmark (toolkit VisDrone2018-DET, version 1.0.4)."""

from __future__ import annotations

import math

import numpy as np

from pointkd.core.visdrone import CLASSES, IGNORED_REGION, OTHERS

__all__ = ['CLASSES', 'COLUMNS', 'IGNORED_REGION', 'LIMITS', 'METRICS', 'OTHERS', 'SIZES', 'THRESHOLDS']

COLUMNS = 6  # of a row that play a part: x, y, width, height, score, category

LIMITS = np.array([1, 10, 100, 500])  # rows of an image's result file that count
THRESHOLDS = 0.5 + 0.05 * np.arange(10)  # overlaps, built as MATLAB builds 0.5:0.05:0.95

# What is reported, in percent. AP is taken from the longest limit.
METRICS = ('AP', 'AP50', 'AP75', 'AR1', 'AR10', 'AR100', 'AR500')
AP50, AP75 = 0, 5  # places in THRESHOLDS

# Not part of the benchmark: labels by area in square pixels, from (included) and to (not included), as COCO has them.
SIZES = {'small': (0.0, 32.0**2), 'medium': (32.0**2, 96.0**2), 'large': (96.0**2, math.inf)}
