"""What a config's labels mean: class names, colours, and whether label 0 is left out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import DATASETS

from pointkd.io.build import model_config, scope_of

SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True)
class Labels:
    """The labels that a net learns.

    Attributes:
        classes: names by label, None where neither config nor data set names them.
        palette: colours (R, G, B) by label, None where there are none for exactly these classes.
        num_classes: of the net's head, None where the head has no such setting.
        reduce_zero_label: label 0 of the files means "ignore" and the others count from it (ADE20K).
    """

    classes: tuple[str, ...] | None
    palette: tuple[tuple[int, int, int], ...] | None
    num_classes: int | None
    reduce_zero_label: bool


def read_labels(config: Config | ConfigDict | Mapping[str, Any]) -> Labels:
    """Return the labels of a config: as it sets them, else as its data set class has them.

    Args:
        config: a whole config.
    """
    dataset = _dataset(config)
    kind = _dataset_class(config, dataset)
    stock = getattr(kind, 'METAINFO', {})
    own = dict(config.get('metainfo') or {}) | dict(dataset.get('metainfo') or {})
    named = own.get('classes') or own.get('CLASSES') or config.get('class_names')
    classes = named or stock.get('classes')
    palette = own.get('palette') or (None if named and not _same(named, stock.get('classes')) else stock.get('palette'))
    if not classes or not palette or len(palette) != len(classes):
        palette = None
    return Labels(
        tuple(classes) if classes else None,
        tuple((int(r), int(g), int(b)) for r, g, b in palette) if palette else None,
        _num_classes(config),
        bool(dataset.get('reduce_zero_label', _default(kind, 'reduce_zero_label'))),
    )


def _same(one: Any, other: Any) -> bool:
    """Return whether two lists of names are equal."""
    return list(one or []) == list(other or [])


def _dataset(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the first innermost data set of a config's splits (wrappers opened), {} where there is none."""
    for split in SPLITS:
        dataset = (config.get(f'{split}_dataloader') or {}).get('dataset')
        while dataset:
            inner = dataset.get('dataset') or dataset.get('datasets')
            if not inner:
                return dataset
            dataset = inner[0] if isinstance(inner, list | tuple) else inner
    return {}


def _dataset_class(config: Mapping[str, Any], dataset: Mapping[str, Any]) -> Any:
    """Return the class of a data set block, None where it is not registered."""
    kind = dataset.get('type')
    if not isinstance(kind, str):
        return kind
    with DATASETS.switch_scope_and_registry(scope_of(dict(config))) as registry:
        return registry.get(kind)


def _default(kind: Any, setting: str) -> Any:
    """Return the default of a constructor's setting, None where it has none."""
    if kind is None:
        return None
    for base in inspect.getmro(kind):
        parameter = inspect.signature(base).parameters.get(setting) if '__init__' in vars(base) else None
        if parameter is not None and parameter.default is not inspect.Parameter.empty:
            return parameter.default
    return None


def _num_classes(config: Mapping[str, Any]) -> int | None:
    """Return the number of classes of a net's (last) head."""
    model = model_config(dict(config))
    for name in ('decode_head', 'bbox_head'):
        head = model.get(name)
        head = head[-1] if isinstance(head, list | tuple) and head else head
        if isinstance(head, Mapping) and isinstance(head.get('num_classes'), int):
            return int(head['num_classes'])
    return None
