"""Time the real-points pillar encoder against the stock one, in turns: inference, and a training step.

    python tools/benchmarks/pillar_encoder.py --pillars 12000 --room 32 --width 64

Pillars are filled as in KITTI scans: about half hold one point, a few are full. Both nets have the same weights. Run it
with nothing else on the machine.
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
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pointkd.models.pillars import RealPointsPillarFeatureNet
from pointkd.models.pillars.encoder import PillarFeatureNet


def make_pillars(pillars: int, room: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return padded points (P, room, 4), counts (P,) and coordinates (P, 4) of a batch of pillars."""
    generator = torch.Generator().manual_seed(0)
    counts = (torch.rand(pillars, generator=generator).pow(4) * room).int() + 1
    points = torch.rand(pillars, room, 4, generator=generator)
    points *= (torch.arange(room) < counts.unsqueeze(1)).unsqueeze(2)
    coors = torch.randint(0, 400, (pillars, 4), generator=generator) * torch.tensor([0, 0, 1, 1])
    return points, counts, coors


def infer(net: nn.Module, pillars: tuple[Tensor, Tensor, Tensor]) -> None:
    """Encode once in evaluation mode."""
    with torch.inference_mode():
        net.eval()(pillars[0].clone(), *pillars[1:])  # the stock net writes into its input


def train_step(net: nn.Module, pillars: tuple[Tensor, Tensor, Tensor]) -> None:
    """Encode once in training mode and run backward."""
    net.zero_grad()
    net.train()(pillars[0].clone(), *pillars[1:]).square().sum().backward()


def in_turns(first: Callable[[], None], second: Callable[[], None], rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the milliseconds of two functions, measured alternately after a warm-up of one call each."""
    times = np.zeros((rounds + 1, 2))
    for turn in times:
        for side, function in enumerate((first, second)):
            start = time.perf_counter()
            function()
            turn[side] = (time.perf_counter() - start) * 1e3
    return times[1:, 0], times[1:, 1]


def processor() -> str:
    """Return the processor's name."""
    lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    return next((line.split(':')[1].strip() for line in lines if line.startswith('model name')), 'unknown')


def main() -> None:
    """Print one JSON object: settings, machine, and for each kind of call median and p90 of both nets and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--pillars', type=int, default=12000)
    parser.add_argument('--room', type=int, default=32, help='places a pillar (max_num_points)')
    parser.add_argument('--width', type=int, default=64, help='channels of the encoder')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--rounds', type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    stock = PillarFeatureNet(feat_channels=(args.width,))
    ours = RealPointsPillarFeatureNet(feat_channels=(args.width,))
    ours.load_state_dict(stock.state_dict())
    pillars = make_pillars(args.pillars, args.room)
    record = {**vars(args), 'points': int(pillars[1].sum()), 'processor': processor(), 'torch': torch.__version__}
    for call in (infer, train_step):
        times = in_turns(lambda: call(stock, pillars), lambda: call(ours, pillars), args.rounds)  # noqa: B023
        for name, values in zip(('stock', 'real_points'), times, strict=True):
            record[f'{call.__name__}_{name}_ms'] = {
                'median': round(float(np.median(values)), 2),
                'p90': round(float(np.quantile(values, 0.9)), 2),
            }
        record[f'{call.__name__}_ratio'] = round(float(np.median(times[0]) / np.median(times[1])), 1)
    print(json.dumps(record, indent=1))


if __name__ == '__main__':
    main()
