"""Lets mmengine's checkpoints load with `weights_only=True`: the few harmless types they hold beside tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

STATISTICS = ('min', 'max', 'current', 'mean')


def only_statistics(owner: Any, name: str) -> Any:
    """Stand in for `builtins.getattr` while a checkpoint is read: a log history's statistics and nothing else.

    Raises:
        AttributeError: another object or attribute (a pickle that reaches for more is not a checkpoint).
    """
    if owner is HistoryBuffer and name in STATISTICS:
        return getattr(HistoryBuffer, name)
    raise AttributeError(f'a checkpoint may not ask for attribute {name!r} of {owner!r}')


def allow_log_history() -> None:
    """Tell torch which globals an mmengine checkpoint may name; safe to call any number of times."""
    multiarray: Any = np.core.multiarray
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            np.ndarray,
            np.dtype,
            multiarray._reconstruct,
            multiarray.scalar,
            (only_statistics, 'builtins.getattr'),
            *(getattr(np.dtypes, name) for name in np.dtypes.__all__),
        ]
    )
