"""A bad frame must not end a training run: it is skipped, replaced and reported."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from mmengine.registry import DATASETS

from pointkd.core.errors import ConfigError, DataError, PointKDError
from pointkd.datasets.wrapping import DatasetWrapper, frame_name, pipelines

REPORT = 'frame_report'  # key under which a sample carries its report (a JSON text, '' where nothing was wrong)
ATTEMPTS = 50  # bad frames in a row before one sample is given up
NAN_POINTS = ('skip', 'filter')


@DATASETS.register_module()
class RobustDataset(DatasetWrapper):
    """A training set that puts another frame in the place of one that can't be used.

    Bad is a frame whose loading or augmentation fails (missing, truncated or unreadable file), whose cloud is empty or
    has points that are not finite, or whose boxes are not finite. A frame without objects is not bad. The replacement
    is drawn from numpy's random state, so under `SeededDataset` it depends on (seed, epoch, index) alone.

    Samples (dicts) carry what was skipped on the way under `REPORT`; the training loop takes it out of the batch.

    Args:
        dataset: data set, or its config.
        nan_points: `'skip'` frames with points that are not finite, or `'filter'` the points and keep the frame.
    """

    def __init__(self, dataset: Any, nan_points: str = 'skip') -> None:
        super().__init__(dataset)
        if nan_points not in NAN_POINTS:
            raise ConfigError(f'reliability.nan_points: expected one of {", ".join(NAN_POINTS)}, got {nan_points!r}')
        for steps in pipelines(self.dataset):
            _check_after_loading(steps, CloudCheck(nan_points))

    def __getitem__(self, index: int) -> Any:
        skipped: list[dict[str, str]] = []
        for _ in range(ATTEMPTS):
            try:
                sample = self.dataset[index]
                check_sample(sample)
            except Exception as error:  # loaders raise anything on a broken file
                if isinstance(error, PointKDError) and not isinstance(error, DataError):
                    raise
                skipped.append({'frame': frame_name(self.dataset, index), 'reason': _reason(error)})
                index = int(np.random.randint(len(self.dataset)))
                continue
            if isinstance(sample, dict):
                sample[REPORT] = json.dumps(skipped) if skipped else ''
            return sample
        raise DataError(
            f'{ATTEMPTS} frames in a row can not be used; the last: {skipped[-1]["frame"]}: {skipped[-1]["reason"]}. '
            'Look at the data with `pointkd check-data`'
        )


@DATASETS.register_module()
class NamedDataset(DatasetWrapper):
    """A validation or test set whose errors name the frame; nothing is skipped, as that would change the metric."""

    def __getitem__(self, index: int) -> Any:
        try:
            return self.dataset[index]
        except PointKDError:
            raise
        except Exception as error:  # loaders raise anything on a broken file
            raise DataError(f'{frame_name(self.dataset, index)}: {_reason(error)}') from error


class CloudCheck:
    """A transform that refuses an empty cloud, and one with points that are not finite (or drops these points).

    Stands right behind the transform that reads the points, before range filters hide what they hold.

    Args:
        nan_points: `'skip'` or `'filter'`.
    """

    def __init__(self, nan_points: str) -> None:
        self.nan_points = nan_points

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample's dict, checked."""
        points = results['points']
        finite = torch.isfinite(points.tensor).all(dim=1)
        if not finite.all():
            if self.nan_points == 'skip':
                bad = int((~finite).sum())
                raise DataError(
                    f'{bad} of {len(finite)} points are not finite (reliability.nan_points="filter" drops them)'
                )
            results['points'] = points[finite]
        if not len(results['points']):
            raise DataError('the cloud is empty')
        return results


def check_sample(sample: Any) -> None:
    """Raise where a finished sample can't be trained on.

    Raises:
        DataError: no points are left, or points or boxes are not finite.
    """
    if not isinstance(sample, dict):
        return
    inputs = sample.get('inputs')
    points = inputs.get('points') if isinstance(inputs, dict) else None
    if isinstance(points, torch.Tensor):
        if not len(points):
            raise DataError('no point is left in range')
        if not torch.isfinite(points).all():
            raise DataError('points are not finite')
    for kind, key in (('gt_instances_3d', 'bboxes_3d'), ('gt_instances', 'bboxes')):
        boxes = getattr(getattr(sample.get('data_samples'), kind, None), key, None)
        values = getattr(boxes, 'tensor', boxes)
        if isinstance(values, torch.Tensor) and not torch.isfinite(values).all():
            raise DataError('boxes are not finite')


def _reason(error: Exception) -> str:
    """Return an error as one line."""
    text = ' '.join(str(error).split())
    return text if isinstance(error, DataError) else f'{type(error).__name__}: {text}'[:300]


def _check_after_loading(steps: list[Any], check: CloudCheck) -> None:
    """Insert a check behind every transform that reads points."""
    for position in range(len(steps) - 1, -1, -1):
        if type(steps[position]).__name__ == 'LoadPointsFromFile':
            steps.insert(position + 1, check)
