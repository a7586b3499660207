"""Reads and writes checkpoints: no code is run, a wrong file says why, a full disk harms nothing."""

from __future__ import annotations

import io
import pickle
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pointkd.core.errors import CheckpointError, nearest
from pointkd.core.files import atomic_write
from pointkd.io.safe import allow_log_history
from pointkd.ops.sparse import with_metadata

# Where the checkpoint formats in use keep the weights; a plain state dict has none of these.
WEIGHT_KEYS = ('state_dict', 'model_state_dict', 'model_state', 'model')
SHOWN = 4  # names of each kind in a message


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return the content of a checkpoint, tensors on the CPU.

    Only tensors, numbers, texts, containers, numpy arrays and mmengine's log history are read (`weights_only=True`);
    files of torch before 1.6 too.

    Args:
        path: checkpoint file.

    Raises:
        CheckpointError: missing, truncated or not a checkpoint, or it holds code that would run on loading.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f'{path}: {_absence(path)}')
    allow_log_history()
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # the unpickler raises whatever a broken stream leads it to
        raise CheckpointError(f'{path}: {_reading_problem(path, error)}') from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f'{path}: holds a {type(content).__name__}, expected a dict with weights')
    return content  # type: ignore[return-value]


def weights_of(content: Mapping[str, Any], where: str = 'checkpoint') -> Mapping[str, Tensor]:
    """Return the state dict inside a checkpoint's content; a plain state dict is returned as it is.

    A prefix `module.` on every name (saved from a distributed wrapper) is cut. `_metadata` is kept.

    Raises:
        CheckpointError: there are no weights.
    """
    weights = next((content[key] for key in WEIGHT_KEYS if isinstance(content.get(key), Mapping)), content)
    if not weights or not all(isinstance(value, Tensor) for value in weights.values()):
        raise CheckpointError(f'{where}: no weights in it; its keys are {", ".join(map(str, list(content)[:10]))}')
    return _without_prefix(weights, 'module.')


def load_weights(model: nn.Module, source: str | Path | Mapping[str, Any], *, name: str | Path = 'state dict') -> None:
    """Load weights into a network, every name and shape exactly.

    A state dict that has lost its `_metadata` (a plain or filtered dict) gets it back, so that sparse convolutions are
    not taken for mmcv's old layout and permuted.

    Args:
        model: the network; unchanged when an error is raised.
        source: checkpoint file, or its content, or a state dict.
        name: how messages call a source that is no file.

    Raises:
        CheckpointError: the file can't be read, or the weights belong to another network; missing, unexpected and
            misshapen entries are summarised with the nearest names.
    """
    where = str(source) if isinstance(source, str | Path) else str(name)
    content = read_checkpoint(source) if isinstance(source, str | Path) else source
    weights = weights_of(content, where)
    own = model.state_dict()
    problem = _difference(own, weights)
    if problem:
        raise CheckpointError(f'{where}: does not belong to this {type(model).__name__}: {problem}')
    try:
        model.load_state_dict(with_metadata(model, weights), strict=True)
    except RuntimeError as error:
        raise CheckpointError(f'{where}: does not belong to this {type(model).__name__}: {error}') from error


def save_checkpoint(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint so that the file holds the old content or the new, never half of one.

    Args:
        path: target file.
        content: what `read_checkpoint` can read back: tensors, numbers, texts, containers (no paths, no configs).

    Raises:
        StorageError: full disk or no permission; what stood there before is intact.
    """
    buffer = io.BytesIO()  # torch's writer turns a full disk into an error without a cause, a plain file does not
    torch.save(dict(content), buffer)
    with atomic_write(path) as file:
        file.write(buffer.getbuffer())


def _absence(path: Path) -> str:
    """Say what stands in a checkpoint's place."""
    if path.is_dir():
        return 'is a folder, expected a checkpoint file'
    if not path.parent.is_dir():
        return f'no such checkpoint (the folder {path.parent} does not exist)'
    names = [entry.name for entry in path.parent.iterdir() if entry.suffix in ('.pth', '.pt', '.ckpt', '.bin')]
    return 'no such checkpoint' + (f': {nearest(path.name, names)}' if names else f' (none in {path.parent})')


def _reading_problem(path: Path, error: Exception) -> str:
    """Say why a file could not be read as a checkpoint."""
    text = str(error)
    named = re.search(r'(?:GLOBAL|class|function) ([\w.]+)', text)
    if isinstance(error, pickle.UnpicklingError) and named and 'unsupported' in text.lower():
        return (
            f'refused: besides weights it holds {named.group(1)}, which would run code on loading. '
            'Ask its author for a file with weights only'
        )
    if isinstance(error, AttributeError) and 'a checkpoint may not ask' in text:
        return f'refused: {text}; loading it could run code'
    if path.stat().st_size == 0:
        return 'is empty (0 bytes)'
    return f'is truncated or not a checkpoint ({text.splitlines()[0][:150] if text else type(error).__name__})'


def _without_prefix(weights: Mapping[str, Tensor], prefix: str) -> Mapping[str, Tensor]:
    """Return weights with a prefix cut from every name, in the names of `_metadata` too; as they are without it."""
    if not all(name.startswith(prefix) for name in weights):
        return weights
    cut = OrderedDict((name[len(prefix) :], value) for name, value in weights.items())
    metadata = getattr(weights, '_metadata', None)
    if metadata is not None:
        inside = {f'{name}.': entry for name, entry in metadata.items() if f'{name}.'.startswith(prefix)}
        renamed = {name[len(prefix) :].rstrip('.'): entry for name, entry in inside.items()}
        cut._metadata = OrderedDict(renamed)  # type: ignore[attr-defined]
    return cut


def _permuted(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape with the last axis first, as mmdet3d reads sparse weights of mmcv's layout."""
    return (*tensor.shape[-1:], *tensor.shape[:-1])


def _difference(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> str:
    """Summarise how weights differ from what a network wants, '' where they fit."""
    counters = {name for name in own if name.endswith('num_batches_tracked')}  # absent in files of torch before 0.4.1
    missing = [name for name in own if name not in weights and name not in counters]
    unexpected = [name for name in weights if name not in own]
    misshapen = [
        f'{name} is {_shape(tensor)} in the file and {_shape(own[name])} in the network'
        for name, tensor in weights.items()
        if name in own
        and tensor.shape != own[name].shape
        and not (tensor.ndim == 5 and _permuted(tensor) == own[name].shape)
    ]
    parts = [_listing('missing', missing), _listing('unexpected', unexpected), _listing('misshapen', misshapen)]
    if unexpected and missing:
        parts.append(f'{unexpected[0]!r}: {nearest(unexpected[0], missing, count=1)}')
    return '; '.join(part for part in parts if part)


def _shape(tensor: Tensor) -> str:
    """Return a shape as text."""
    return 'x'.join(str(length) for length in tensor.shape) or 'a number'


def _listing(kind: str, names: list[str]) -> str:
    """Return the count and the first names of one kind of difference."""
    if not names:
        return ''
    rest = f', … {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return f'{len(names)} {kind} ({", ".join(names[:SHOWN])}{rest})'
