"""Time and memory of nearest neighbours, in turns with the matrix of all distances.

    python tools/benchmarks/knn.py --centres 6000 --elements 96000 --width 64 --neighbors 128 --runs 3 --out JSON

Contenders: `pointkd` (`pointkd.distill.functional.knn`); `matrix`, the distances |a|² + |b|² - 2ab of all centres to
all elements at once and a top-k of each row, as PointDistiller's code has it (2.3 GB at the sizes above, and more while
it is made); `rows`, the same for 256 centres at a time. Each run is a new process; its memory is the growth of the
largest resident size over a small call before it. The features are made up: 8 hidden dimensions, cut at 0 as a ReLU
does. `same_neighbours` is the share of index entries that equal ours. Run this with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from pointkd.core.files import write_json

REPOSITORY = Path(__file__).resolve().parents[2]
CONTENDERS = ('pointkd', 'matrix', 'rows')
SIZES = ('elements', 'width', 'centres', 'neighbors', 'threads')


def features(elements: int, width: int):
    """Return made-up features (elements, width), the same in every process."""
    import torch

    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(elements, 8, generator=generator) @ torch.randn(8, width, generator=generator)
    return hidden.relu()


def by_products(values, centres, neighbors: int, rows: int):
    """Return neighbours from the distance matrix, `rows` centres at a time."""
    import torch

    squares = values.square().sum(1)
    found = []
    for part in centres.split(rows):
        distances = squares[part].unsqueeze(1) + squares - 2 * values[part] @ values.t()
        found.append(distances.topk(neighbors, largest=False).indices)
    return torch.cat(found)


def search(name: str, values, centres, neighbors: int):
    """Return the neighbours that a contender finds."""
    from pointkd.distill.functional import knn

    if name == 'pointkd':
        return knn(values, neighbors, centres)
    return by_products(values, centres, neighbors, len(centres) if name == 'matrix' else 256)


def child(name: str, sizes: dict[str, int], out: str) -> None:
    """Run one contender once; write its neighbours, and print seconds and megabytes."""
    import torch

    torch.set_num_threads(sizes['threads'])
    values = features(sizes['elements'], sizes['width'])
    centres = torch.arange(sizes['centres']) * (sizes['elements'] // sizes['centres'])
    search(name, values[:1000], torch.arange(8), min(sizes['neighbors'], 8))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    found = search(name, values, centres, sizes['neighbors'])
    seconds = time.perf_counter() - start
    megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    torch.save(found, out)
    print(json.dumps({'seconds': seconds, 'megabytes': megabytes}))


def measure(names: list[str], sizes: dict[str, int], runs: int) -> dict[str, dict[str, object]]:
    """Run the contenders in turns; return seconds and megabytes of each run, and how far its answers are from ours."""
    import torch

    measured: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs):
            for name in names:
                command = [sys.executable, __file__, '--child', name, json.dumps(sizes), f'{folder}/{name}.pt']
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                measured[name].append(json.loads(done.stdout))
        found = {name: torch.load(f'{folder}/{name}.pt') for name in names}
    return {
        name: {
            'seconds': [run['seconds'] for run in entries],
            'megabytes': [run['megabytes'] for run in entries],
            'same_neighbours': float((found[name] == found['pointkd']).double().mean()),
        }
        for name, entries in measured.items()
    }


def main() -> None:
    """Measure, print a table, write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in zip(SIZES, (96000, 64, 6000, 128, 1), strict=True):
        parser.add_argument(f'--{name}', type=int, default=default)
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--with', dest='others', nargs='*', choices=CONTENDERS[1:], default=list(CONTENDERS[1:]))
    parser.add_argument('--out', type=Path, help='JSON to write')
    options = parser.parse_args()
    sizes = {name: getattr(options, name) for name in SIZES}
    results = measure(['pointkd', *options.others], sizes, options.runs)
    ours = statistics.median(results['pointkd']['seconds'])
    for name, entry in results.items():
        seconds, megabytes = statistics.median(entry['seconds']), max(entry['megabytes'])
        same = entry['same_neighbours']
        print(f'{name:8}{seconds:8.2f} s{seconds / ours:7.2f} times ours{megabytes:8.0f} MB{same:10.3%} same')
    if options.out:
        command = ['git', 'rev-parse', 'HEAD']
        commit = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.strip()
        machine = {'date': date.today().isoformat(), 'cores': os.cpu_count(), 'commit': commit}
        write_json(options.out, {**machine, **sizes, 'runs': options.runs, 'contenders': results})


if __name__ == '__main__':
    if sys.argv[1:2] == ['--child']:
        child(sys.argv[2], json.loads(sys.argv[3]), sys.argv[4])
    else:
        main()
