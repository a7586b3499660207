"""Names of an exported network's inputs and outputs."""

from __future__ import annotations

import numpy as np

from pointkd.runtime.decode import HeadMaps
from pointkd.runtime.voxelize import Pillars

INPUTS = ('points', 'counts', 'coords')
OUTPUTS = HeadMaps._fields


def feed(pillars: Pillars) -> dict[str, np.ndarray]:
    """Return the arrays of a cloud by the name of the input they go to."""
    return dict(zip(INPUTS, (pillars.points, pillars.counts, pillars.coords), strict=True))
