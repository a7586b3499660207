"""What half of YOLOv8m costs: parameters, multiply-adds, and the latency of ONNX Runtime, dense and pruned in turns.

    python tools/benchmarks/prune_yolov8m.py --out docs/results/measurements/prune_yolov8m.json

The published setting: half of every convolution, head branches included, the last 1x1 kept, at 640 x 640. Then the
same network pruned to a latency: 60 % of the dense one's, measured in the loop. Weights are random: they change no
time. Run it with nothing else running.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from pointkd.compress.pruning import PruneSettings
from pointkd.compress.run import Measuring, Target, prune_config
from pointkd.core.files import write_json
from pointkd.export.latency import processor
from pointkd.io.build import build_model
from pointkd.io.checkpoints import save_checkpoint
from pointkd.io.config import load_config

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'yolov8' / 'yolov8_m_visdrone.py'
SIZE = (640, 640)
SHARE = 0.6  # of the dense network's latency: the target


def measure(runs: int, threads: int) -> dict[str, Any]:
    """Prune twice and return what was found."""
    config = load_config(CONFIG, pretrained=False)
    settings, measuring = PruneSettings(importance='l2'), Measuring(SIZE, runs, threads)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, 'dense.pth')
        save_checkpoint(weights, {'state_dict': build_model(config).state_dict()})

        def pruned(name: str, target: Target) -> dict[str, Any]:
            return prune_config(
                config, weights, Path(folder, name), target=target, settings=settings, measuring=measuring
            )

        half = pruned('half', Target(ratio=0.5))
        wanted = SHARE * half['latency']['dense']['median_ms']
        reached = pruned('latency', Target(latency_ms=wanted))
    kept = ('ratio', 'difference', 'params', 'macs', 'latency')
    return {
        'half': {key: half[key] for key in kept},
        'latency_target': {'target_ms': wanted, **{key: reached[key] for key in kept}},
        'measuring': asdict(measuring),
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--runs', type=int, default=20)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--out', type=Path, required=True, help='JSON to write')
    args = parser.parse_args()
    load = os.getloadavg()[0]
    found = measure(args.runs, args.threads)
    machine = {'processor': processor(), 'load_average': round(load, 2), 'date': date.today().isoformat()}
    write_json(args.out, {**found, **machine})
    for name in ('half', 'latency_target'):
        dense, pruned = (found[name]['latency'][net]['median_ms'] for net in ('dense', 'pruned'))
        print(f'{name}: params {found[name]["params"]}, macs {found[name]["macs"]}, {dense:.1f} -> {pruned:.1f} ms')


if __name__ == '__main__':
    main()
