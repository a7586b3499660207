"""Time `tools/evaluate.py visdrone`, whole process, in turns with a literal loop over the benchmark's rules.

    python tools/benchmarks/visdrone_eval.py --labels val.tar.gz --sizes val_sizes.json --runs 1 --out JSON

The labels are a folder, or a .tar.gz that holds one. Without `--results` the detections are made from the labels:
moved a little, some missed, some confused, some invented, each file sorted by score. The loop is the plain-Python
reference of the tests. Each run is a new process; one of ours comes first, uncounted, to fill numba's cache. Run this
with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pointkd.core.files import write_json
from pointkd.core.visdrone import read_rows
from pointkd.evaluation.visdrone import METRICS

REPOSITORY = Path(__file__).resolve().parents[2]
CONTENDERS = {
    'pointkd': 'tools/evaluate.py visdrone --labels {labels} --results {results} --sizes {sizes} --out {out}',
    'loop': 'tests/helpers/visdrone_reference.py {labels} {results} {sizes} {out}',
}
MISSED, CONFUSED, TWICE, INVENTED = 0.2, 0.1, 0.3, 0.5  # shares of an image's labels


def make_results(labels: Path, folder: Path, seed: int = 0) -> None:
    """Write detections near the labels of each image."""
    rng = np.random.default_rng(seed)
    for path in sorted(labels.glob('*.txt')):
        rows = read_rows(path, 6)
        rows = rows[rows[:, 5] > 0]
        found = np.concatenate([rows[rng.random(len(rows)) > MISSED], rows[rng.random(len(rows)) < TWICE]])
        found[:, :4] += rng.normal(0, 0.08, (len(found), 4)) * found[:, [2, 3, 2, 3]]
        invented = rows[rng.random(len(rows)) < INVENTED]
        invented[:, :2] += rng.normal(0, 60, (len(invented), 2))
        found[:, 4], invented[:, 4] = rng.beta(4, 2, len(found)), rng.beta(2, 4, len(invented))
        found = np.concatenate([found, invented])
        confused = rng.random(len(found)) < CONFUSED
        found[confused, 5] = rng.integers(1, 11, confused.sum())
        lines = [
            f'{x:.2f},{y:.2f},{w:.2f},{h:.2f},{score:.5f},{int(category)},-1,-1\n'
            for x, y, w, h, score, category in found[np.argsort(-found[:, 4], kind='stable')]
        ]
        (folder / path.name).write_text(''.join(lines))


def timed(command: str) -> tuple[float, float]:
    """Run a script of the repository; return wall and processor seconds."""
    words = [sys.executable, '-W', 'ignore', *command.split()]
    before, start = os.times(), time.perf_counter()
    subprocess.run(words, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, used


def measure(labels: Path, results: Path, sizes: Path, folder: Path, runs: int) -> dict[str, dict[str, Any]]:
    """Run the contenders in turns; return seconds of each run, and how far their numbers are from ours."""
    places = {'labels': labels, 'results': results, 'sizes': sizes}
    commands = {name: command.format(**places, out=folder / f'{name}.json') for name, command in CONTENDERS.items()}
    timed(commands['pointkd'])
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(timed(command))
    reports = {name: json.loads((folder / f'{name}.json').read_text()) for name in commands}
    return {
        name: {
            'wall_s': [wall for wall, _ in times[name]],
            'processor_s': [used for _, used in times[name]],
            'largest_difference': max(abs(reports[name][key] - reports['pointkd'][key]) for key in METRICS),
        }
        for name in commands
    }


def unpacked(labels: Path, folder: Path) -> Path:
    """Return the folder of the label files, unpacked where they come as an archive."""
    if labels.is_dir():
        return labels
    with tarfile.open(labels) as content:
        content.extractall(folder, filter='data')
    return next(folder.rglob('*.txt')).parent


def main() -> None:
    """Measure, print medians and ratios, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--labels', required=True, type=Path)
    parser.add_argument('--sizes', required=True, type=Path)
    parser.add_argument('--results', type=Path)
    parser.add_argument('--runs', type=int, default=1)
    parser.add_argument('--out', help='write every time to this JSON file')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        labels = unpacked(args.labels, folder / 'labels').resolve()
        results = args.results or folder / 'results'
        if args.results is None:
            results.mkdir()
            make_results(labels, results)
        detections = sum(len(read_rows(path, 6)) for path in results.glob('*.txt'))
        measured = measure(labels, results.resolve(), args.sizes.resolve(), folder, args.runs)
        images = len(list(labels.glob('*.txt')))
    print(f'{images} images, {detections} detections')
    ratios = {}
    for kind in ('wall_s', 'processor_s'):
        ours, loop = (statistics.median(measured[name][kind]) for name in CONTENDERS)
        ratios[kind] = loop / ours
        print(f'{kind:12} ours {ours:8.2f}   the loop {loop:8.2f}   {ratios[kind]:6.1f} times as long')
    print(f'largest difference {measured["loop"]["largest_difference"]:.2g} points')
    if args.out:
        commit = subprocess.run(['git', 'rev-parse', 'HEAD'], cwd=REPOSITORY, capture_output=True, text=True).stdout
        machine = {'date': date.today().isoformat(), 'cores': os.cpu_count(), 'commit': commit.strip()}
        counts = {'images': images, 'detections': detections, 'runs': args.runs, 'ratios': ratios}
        write_json(args.out, {**machine, **counts, 'contenders': measured})


if __name__ == '__main__':
    main()
