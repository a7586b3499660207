"""Predictions and labels of mmseg's data samples as arrays, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pointkd.core.errors import ConfigError, DataError

VOID = 255  # what pointkd.evaluation.boundary takes for "no label"


def class_map(sample: Mapping[str, Any], key: str) -> np.ndarray:
    """Return a class map of a data sample: (H, W) integers on the CPU.

    Args:
        sample: a data sample as a dict, as mmengine gives it to metrics.
        key: `pred_sem_seg` or `gt_sem_seg`.

    Raises:
        DataError: the sample has none, or not one map.
    """
    if key not in sample:
        raise DataError(f'{image_path(sample)}: the data sample has no {key}')
    values: np.ndarray = sample[key]['data'].detach().cpu().numpy()
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 2:
        raise DataError(f'{image_path(sample)}: {key} is expected as (1, H, W), got {values.shape}')
    return values


def with_void(values: np.ndarray, ignore_index: int, name: str) -> np.ndarray:
    """Return a class map as (H, W) uint8, VOID where it has the ignored value.

    Raises:
        DataError: a value does not fit.
    """
    ignored = values == ignore_index
    kept = values[~ignored]
    if kept.size and not 0 <= int(kept.min()) <= int(kept.max()) < VOID:
        least, greatest = int(kept.min()), int(kept.max())
        raise DataError(f'{name}: expected classes 0..{VOID - 1} or {ignore_index}, got {least}..{greatest}')
    return np.where(ignored, VOID, values).astype(np.uint8)


def image_path(sample: Mapping[str, Any]) -> str:
    """Return the path of a sample's image, for messages."""
    return str(sample.get('img_path', 'image of unknown path'))


def class_names(meta: Mapping[str, Any] | None, metric: str) -> list[str]:
    """Return the classes of a data set.

    Raises:
        ConfigError: it has none.
    """
    names = list((meta or {}).get('classes') or ())
    if not names:
        raise ConfigError(f'{metric}: the data set names no classes (metainfo)')
    return names


def or_zero(values: Mapping[str, float | None]) -> dict[str, float]:
    """Return the numbers for the log and `save_best`; what is undefined is 0 there."""
    return {name: 0.0 if value is None else value for name, value in values.items()}
