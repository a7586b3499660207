"""Random numbers of a training step: a function of (seed, iteration, process), and the states a checkpoint keeps."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from pointkd.core.seeds import derive_seed, seed_everything


def seed_step(seed: int, iteration: int, rank: int) -> None:
    """Seed every source before a training iteration.

    What ran between two iterations (a validation, a checkpoint, a restart) can't change the next one.
    """
    seed_everything(derive_seed(seed, 'step', iteration, rank))


def random_states() -> dict[str, Any]:
    """Return the states of `random`, numpy and torch, in types that a checkpoint may hold."""
    name, keys, *rest = np.random.get_state(legacy=True)  # type: ignore[misc]
    states: dict[str, Any] = {
        'python': random.getstate(),
        'numpy': (name, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest),
        'torch': torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states['cuda'] = torch.cuda.get_rng_state_all()
    return states


def restore_random_states(states: dict[str, Any]) -> None:
    """Set what `random_states` returned; devices that are not there are left out."""
    version, numbers, gauss = states['python']
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = states['numpy']
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states['torch'].cpu())
    if 'cuda' in states and torch.cuda.device_count() == len(states['cuda']):
        torch.cuda.set_rng_state_all([state.cpu() for state in states['cuda']])
