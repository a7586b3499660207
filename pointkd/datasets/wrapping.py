"""What wrappers around data sets share: they look like the data set inside, and can reach its transforms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.registry import DATASETS


class DatasetWrapper:
    """A data set that passes everything but `[...]` on to the one inside.

    Args:
        dataset: data set, or its config.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        if hasattr(self.dataset, 'full_init'):
            self.dataset.full_init()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset':  # not there yet while unpickling
            raise AttributeError(name)
        return getattr(self.dataset, name)

    @property
    def pipeline(self) -> Any:
        """The transforms of the data set inside; mmdet's hooks read and replace them."""
        return self.dataset.pipeline

    @pipeline.setter
    def pipeline(self, pipeline: Any) -> None:
        self.dataset.pipeline = pipeline


def innermost(dataset: Any) -> list[Any]:
    """Return the data sets that load samples, below every wrapper."""
    inner = vars(dataset).get('datasets') or vars(dataset).get('dataset')
    if inner is None:
        return [dataset]
    parts = inner if isinstance(inner, list | tuple) else [inner]
    return [leaf for part in parts for leaf in innermost(part)]


def pipelines(dataset: Any) -> Iterator[list[Any]]:
    """Yield the lists of transforms of a data set, its wrappers and its composed transforms."""
    inner = vars(dataset).get('datasets') or vars(dataset).get('dataset')
    parts = [] if inner is None else inner if isinstance(inner, list | tuple) else [inner]
    for part in parts:
        yield from pipelines(part)
    pipeline = vars(dataset).get('pipeline')
    if pipeline is not None:
        yield from _lists(pipeline)


def transforms(dataset: Any) -> Iterator[Any]:
    """Yield every transform of a data set."""
    for steps in pipelines(dataset):
        yield from steps


def _lists(step: Any) -> Iterator[list[Any]]:
    """Yield the lists of transforms in a pipeline or composed transform."""
    steps = step if isinstance(step, list) else getattr(step, 'transforms', None)
    if isinstance(steps, list):
        yield steps
        for inner in steps:
            yield from _lists(inner)


def frame_name(dataset: Any, index: int) -> str:
    """Return how messages call a sample: its file, else its number."""
    try:
        entry = dataset.get_data_info(index)
    except Exception:  # naming a frame must never hide what is wrong with it
        return f'sample {index}'
    lidar = entry.get('lidar_points') or {}
    path = entry.get('lidar_path') or lidar.get('lidar_path') or entry.get('img_path')
    return str(path) if path else f'sample {index}'
