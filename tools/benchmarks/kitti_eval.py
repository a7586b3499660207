"""Time `tools/evaluate.py kitti`, whole process, in turns with other ways to the same numbers.

    python tools/benchmarks/kitti_eval.py --labels DIR --results DIR --runs 5 --with plain mmdet3d --out JSON

`plain` is the plain-Python reference of the tests. `mmdet3d` are the functions of mmdet3d's own metric, compiled by
numba, with its CUDA overlap replaced by one on the CPU; it is given the official overlaps only. Each run is a new
process; one of ours comes first, uncounted, to fill numba's cache. mmdet3d imports torch and keeps no cache, so it
compiles in every process: the time of its second evaluation in one process is given too. Run this with nothing else on
the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

CLASSES = ('Car', 'Pedestrian', 'Cyclist')
METRICS = ('bbox', 'bev', '3d', 'aos')


def commands(labels: str, results: str, out: str) -> dict[str, list[str]]:
    """Return the command of each contender; all write the same shape of JSON to out."""
    return {
        'pointkd': ['tools/evaluate.py', 'kitti', '--labels', labels, '--results', results, '--out', out],
        'plain': ['tests/helpers/kitti_reference.py', labels, results, out],
        'mmdet3d': ['tools/benchmarks/kitti_eval.py', '--child', labels, results, out],
    }


def timed(command: list[str]) -> tuple[float, float]:
    """Run a script of the repository; return wall and processor seconds."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, '-W', 'ignore', *command], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, used


def measure(names: list[str], labels: str, results: str, runs: int) -> dict[str, dict[str, object]]:
    """Run the contenders in turns; return seconds of each run, and how far its numbers are from ours."""
    with tempfile.TemporaryDirectory() as folder:
        outs = {name: str(Path(folder) / f'{name}.json') for name in names}
        scripts = {name: commands(labels, results, outs[name])[name] for name in names}
        timed(scripts['pointkd'])
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for _ in range(runs):
            for name, command in scripts.items():
                times[name].append(timed(command))
        reports = {name: json.loads(Path(out).read_text()) for name, out in outs.items()}
    return {
        name: {
            'wall_s': [wall for wall, _ in times[name]],
            'processor_s': [used for _, used in times[name]],
            'compiled_s': reports[name].get('compiled_s'),
            'largest_difference': largest_difference(reports['pointkd'], reports[name]),
        }
        for name in names
    }


def largest_difference(first: dict, second: dict) -> float:
    """Return the greatest difference of AP, percent; what is not evaluated counts as 0."""
    return max(
        abs((one or 0.0) - (other or 0.0))
        for name in CLASSES
        for metric in METRICS
        for form in ('AP11', 'AP40')
        for one, other in zip(first[name][metric][form], second[name][metric][form], strict=True)
    )


def evaluate_with_mmdet3d(labels: str, results: str, out: str) -> None:
    """Evaluate two folders with mmdet3d's functions on the CPU and write the report."""
    import pointkd.ops.standin

    pointkd.ops.standin.install()
    from mmdet3d.evaluation.functional.kitti_utils import eval as stock

    rotate_iou = ModuleType('rotate_iou')  # the real one asks for a CUDA driver as soon as it is imported
    vars(rotate_iou)['rotate_iou_gpu_eval'] = cpu_overlaps()
    sys.modules['mmdet3d.evaluation.functional.kitti_utils.rotate_iou'] = rotate_iou
    paths = sorted(Path(labels).glob('*.txt'))
    ground_truth = [annotation(path) for path in paths]
    detections = [annotation(Path(results) / path.name) for path in paths]
    limits = np.array([[[0.7, 0.5, 0.5]] * 3])  # sets, metrics, classes
    for _ in range(2):
        start = time.perf_counter()
        values = stock.do_eval(ground_truth, detections, [0, 1, 2], limits, list(METRICS))
    report = {
        name: {
            metric: {
                form: values[4 * block + column][class_, :, 0].tolist() for block, form in enumerate(('AP11', 'AP40'))
            }
            for column, metric in enumerate(METRICS)
        }
        for class_, name in enumerate(CLASSES)
    }
    Path(out).write_text(json.dumps({**report, 'compiled_s': time.perf_counter() - start}))


def annotation(path: Path) -> dict:
    """Return a file as mmdet3d's functions take it (dimensions are length, height, width)."""
    from pointkd.core.kitti import KittiObjects, read_objects

    objects = read_objects(path) if path.exists() else KittiObjects()
    return {
        'name': objects.names,
        'truncated': objects.truncation,
        'occluded': objects.occlusion,
        'alpha': objects.alpha,
        'bbox': objects.boxes_2d,
        'dimensions': objects.dimensions[:, [2, 0, 1]],
        'location': objects.location,
        'rotation_y': objects.rotation_y,
        'score': np.zeros(0) if objects.scores is None else objects.scores,
    }


def cpu_overlaps():  # type: ignore[no-untyped-def]
    """Return a function in place of mmdet3d's CUDA one: rectangles (N, 5), (K, 5) to overlaps (N, K), float64."""
    import numba

    from pointkd.evaluation.kitti.overlaps import _ground_intersection

    @numba.njit
    def overlaps(first, second, criterion):  # type: ignore[no-untyped-def]
        values = np.zeros((len(first), len(second)))
        room = np.empty((4, 20, 2))
        a, b = np.zeros(7), np.zeros(7)  # h, w, l, x, y, z, rotation
        for row in range(len(first)):
            a[3], a[5], a[2], a[1], a[6] = first[row]
            for column in range(len(second)):
                b[3], b[5], b[2], b[1], b[6] = second[column]
                shared = _ground_intersection(a, b, room)
                if criterion == -1 and shared > 0:
                    shared /= a[1] * a[2] + b[1] * b[2] - shared
                values[row, column] = shared
        return values

    return lambda first, second, criterion=-1, device_id=0: overlaps(first, second, criterion)


def main() -> None:
    """Measure, print medians and ratios, write JSON."""
    if sys.argv[1:2] == ['--child']:
        evaluate_with_mmdet3d(*sys.argv[2:5])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--labels', required=True)
    parser.add_argument('--results', required=True)
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--with', dest='others', nargs='*', default=[], choices=['plain', 'mmdet3d'])
    parser.add_argument('--out', help='write every time to this JSON file')
    args = parser.parse_args()
    labels, results = str(Path(args.labels).resolve()), str(Path(args.results).resolve())
    measured = measure(['pointkd', *args.others], labels, results, args.runs)
    medians = {name: statistics.median(entry['wall_s']) for name, entry in measured.items()}
    print(f'{"":10}{"wall, s":>10}{"cpu, s":>10}{"times ours":>12}{"difference, AP":>16}')
    for name, entry in measured.items():
        used = statistics.median(entry['processor_s'])
        ratio, difference = medians[name] / medians['pointkd'], entry['largest_difference']
        print(f'{name:10}{medians[name]:10.2f}{used:10.2f}{ratio:12.1f}{difference:16.2g}')
    if 'mmdet3d' in measured:
        print(f'mmdet3d, evaluation alone, compiled: {measured["mmdet3d"]["compiled_s"]:.2f} s')
    if args.out:
        from pointkd.core.files import write_json

        commit = subprocess.run(['git', 'rev-parse', 'HEAD'], cwd=REPOSITORY, capture_output=True, text=True).stdout
        frames = len(list(Path(labels).glob('*.txt')))
        machine = {'date': date.today().isoformat(), 'cores': os.cpu_count(), 'commit': commit.strip()}
        write_json(args.out, {**machine, 'frames': frames, 'runs': args.runs, 'contenders': measured})


if __name__ == '__main__':
    main()
