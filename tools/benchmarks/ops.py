"""Time the CPU loops of pointkd.ops against their torch references, in turns, and check that both agree.

    python tools/benchmarks/ops.py --points 120000 --boxes 9000

Run it with nothing else on the machine: what counts is the ratio within one run.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pointkd.ops import nms_rotated, rotated, voxelize
from pointkd.ops.greedy import best_first

Work = Callable[[], tuple[Tensor, ...]]

# name: voxel size, range, points a voxel, voxels
VOXELS = {
    'hard_voxelize, pillars': ((0.16, 0.16, 4), (0, -39.68, -3, 69.12, 39.68, 1), 32, 40000),
    'hard_voxelize, second': ((0.05, 0.05, 0.1), (0, -40, -3, 70.4, 40, 1), 5, 40000),
}


def cloud(count: int) -> Tensor:
    """Return points (N, 4) that thin out with distance as a scan does."""
    generator = torch.Generator().manual_seed(0)
    distance = 70 * torch.rand(count, generator=generator) ** 2
    angle = (torch.rand(count, generator=generator) - 0.5) * 1.6
    height = torch.rand(count, generator=generator) * 3 - 2.5
    return torch.stack([distance * angle.cos(), distance * angle.sin(), height, torch.rand(count)], dim=1)


def detections(count: int, objects: int) -> tuple[Tensor, Tensor]:
    """Return boxes (N, 5) scattered around so many objects, and scores (N,), as a proposal head gives them."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.rand(objects, 2, generator=generator) * 70
    boxes = torch.rand(count, 5, generator=generator) * torch.tensor([1.0, 1, 2, 0.6, 3.1])
    boxes[:, :2] += centre[torch.randint(objects, (count,), generator=generator)]
    return boxes + torch.tensor([0, 0, 3, 1.4, 0]), torch.rand(count, generator=generator)


def voxelize_pair(points: Tensor, name: str) -> tuple[Work, Work]:
    """Return hard voxelisation as loop and as reference."""
    size, bounds, max_points, max_voxels = VOXELS[name]

    def reference() -> tuple[Tensor, ...]:
        out = (
            points.new_zeros(max_voxels, max_points, points.shape[1]),
            points.new_zeros(max_voxels, 3, dtype=torch.int32),
            points.new_zeros(max_voxels, dtype=torch.int32),
        )
        count = voxelize._fill_torch(points, *voxelize.grid_of(size, bounds, points.dtype), *out)
        return tuple(tensor[:count] for tensor in out)

    return lambda: voxelize.hard_voxelize(points, size, bounds, max_points, max_voxels), reference


def nms_pair(count: int, objects: int) -> tuple[Work, Work]:
    """Return rotated suppression at IoU 0.8 as loop and as reference."""
    boxes, scores = detections(count, objects)
    order = best_first(scores)
    ordered, labels = boxes[order].double(), torch.zeros(count, dtype=torch.int64)
    return (
        lambda: (nms_rotated.keep_rotated(ordered, labels, 0.8),),
        lambda: (nms_rotated._keep_torch(ordered, labels, 0.8),),
    )


def overlap_pair(count: int) -> tuple[Work, Work]:
    """Return the rotated overlap matrix as loop and as reference."""
    boxes = detections(count, 50)[0].double()
    return lambda: (rotated.overlap_rotated(boxes, boxes),), lambda: (rotated._overlap_torch(boxes, boxes, False),)


def in_turns(first: Work, second: Work, rounds: int) -> dict[str, float]:
    """Return median milliseconds of two functions, measured alternately after one call each, and their ratio."""
    for fast, slow in zip(first(), second(), strict=True):
        torch.testing.assert_close(fast, slow, rtol=0, atol=1e-9)
    times = np.zeros((rounds, 2))
    for turn in times:
        for side, function in enumerate((first, second)):
            start = time.perf_counter()
            function()
            turn[side] = (time.perf_counter() - start) * 1e3
    loop, reference = np.median(times, axis=0).tolist()
    return {'loop_ms': round(loop, 3), 'reference_ms': round(reference, 3), 'ratio': round(reference / loop, 2)}


def main() -> None:
    """Print one JSON object: settings and, for each op, medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--points', type=int, default=120000)
    parser.add_argument('--boxes', type=int, default=9000)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--rounds', type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    points = cloud(args.points)
    pairs = {name: voxelize_pair(points, name) for name in VOXELS}
    pairs['nms_rotated, 50 objects'] = nms_pair(args.boxes, 50)
    pairs['nms_rotated, scattered'] = nms_pair(args.boxes, args.boxes)
    pairs['box_iou_rotated'] = overlap_pair(min(args.boxes, 1000))
    result = {name: in_turns(*pair, args.rounds) for name, pair in pairs.items()}
    print(json.dumps({'settings': vars(args), 'torch': torch.__version__, 'ops': result}, indent=2))


if __name__ == '__main__':
    main()
