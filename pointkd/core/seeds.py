"""One seed for every random source of a process."""

from __future__ import annotations

import hashlib
import random
import sys

import numpy as np


def seed_everything(seed: int) -> None:
    """Seed `random`, numpy and, where it is loaded, torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch = sys.modules.get('torch')
    if torch is not None:
        torch.manual_seed(seed)


def derive_seed(*parts: int | str) -> int:
    """Return a 32-bit seed that depends on every part, the same on every machine.

    Example:
        >>> derive_seed(0, 'epoch', 3) == derive_seed(0, 'epoch', 3)
        True
    """
    text = '/'.join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], 'little')
