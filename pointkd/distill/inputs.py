"""What goes into two networks that look at the same batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor


def same_preprocessing(student: Mapping[str, Any], teacher: Mapping[str, Any]) -> bool:
    """Return whether two model configs prepare a batch in the same way."""
    return _plain(student.get('data_preprocessor')) == _plain(teacher.get('data_preprocessor'))


def _plain(value: Any) -> Any:
    """Turn nested config containers into comparable ones; numbers compare by value, lists and tuples alike."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value


def own_inputs(value: Any) -> Any:
    """Copy a network's inputs, tensors too: mmdet3d's pillar encoder, for one, writes into the voxels it is given."""
    if isinstance(value, dict):
        return {key: own_inputs(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [own_inputs(entry) for entry in value]
    return value.clone() if isinstance(value, Tensor) else value


def image_size(inputs: Any) -> tuple[int, int] | None:
    """Return height and width in pixels of a batch of images (N, C, H, W), padding included; None for other inputs."""
    return (inputs.shape[2], inputs.shape[3]) if isinstance(inputs, Tensor) and inputs.ndim == 4 else None


def batch_length(inputs: Any, data_samples: list | None) -> int:
    """Return the number of samples of a batch."""
    if data_samples is not None:
        return len(data_samples)
    if isinstance(inputs, Tensor):
        return len(inputs)
    return len(next(iter(inputs.values()))) if isinstance(inputs, Mapping) else len(inputs)
