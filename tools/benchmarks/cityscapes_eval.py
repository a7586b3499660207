"""Time `tools/evaluate.py cityscapes` in turns with cityscapesScripts' own plain Python path, on the same files.

    python -m venv OFFICIAL && OFFICIAL/bin/pip install cityscapesscripts 'numpy<2'
    python tools/benchmarks/cityscapes_eval.py --official OFFICIAL/bin/python --runs 5 --out JSON

Without `--labels` and `--results` the images are those of `tests/golden/cityscapes_eval/realistic`, enlarged to the
size of Cityscapes (`--enlarge 4`: 1024 x 2048) and repeated (`--copies`). The package stays in an environment of its
own; where `--official` is not given, only our own times are printed. Three times of each contender count: wall time of
the evaluation alone, from the list of files to the scores (imports, and the loading of our compiled code, left out),
the processor time of that, and the wall time of the whole process. One run of ours comes first, uncounted, to fill
numba's cache. Contenders: `pointkd` (all that the command does by default),
`pointkd_official` (`--no-boundary`: what the official script computes), `pointkd_one_thread` (the same, one thread).
Run this with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from datetime import date
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))
GOLDEN = REPOSITORY / 'tests' / 'golden' / 'cityscapes_eval' / 'realistic'
OURS = {
    'pointkd': {},
    'pointkd_official': {'boundary': False},
    'pointkd_one_thread': {'boundary': False, 'jobs': 1},
}

TIMES = ('evaluation_s', 'processor_s', 'process_s')

OFFICIAL = """
import glob, json, sys, time
import cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling as official
labels, results, out = sys.argv[1:]
official.args.predictionPath, official.args.quiet, official.args.JSONOutput = results, True, False
official.CSUPPORT = False
start, used = time.perf_counter(), time.process_time()
truths = sorted(glob.glob(labels + '/**/*_gtFine_labelIds.png', recursive=True))
guesses = [official.getPrediction(official.args, truth) for truth in truths]
scores = official.evaluateImgLists(guesses, truths, official.args)
seconds, used = time.perf_counter() - start, time.process_time() - used
means = [scores['averageScore' + name] for name in ('Classes', 'Categories', 'InstClasses', 'InstCategories')]
json.dump({'evaluation_s': seconds, 'processor_s': used, 'means': means}, open(out, 'w'))
"""


def command_of(name: str, python: str | None, labels: str, results: str, out: str) -> list[str]:
    """Return the command of a contender; it writes its seconds and its four means to out."""
    if name == 'official':
        return [str(python), '-W', 'ignore', '-c', OFFICIAL, labels, results, out]
    return [sys.executable, '-W', 'ignore', __file__, '--child', json.dumps(OURS[name]), labels, results, out]


def evaluate_ours(settings: str, labels: str, results: str, out: str) -> None:
    """Evaluate with pointkd and write seconds and means, as fractions like the official ones."""
    from pointkd.core.label_images import read_label_image
    from pointkd.evaluation.cityscapes import CityscapesCounter, evaluate_folders

    path = next(Path(labels).rglob('*_gtFine_instanceIds.png'))
    label, instances = read_label_image(str(path).replace('instanceIds', 'labelIds')), read_label_image(path)
    CityscapesCounter().count(label, label, instances)  # loads the compiled code
    start, used = time.perf_counter(), time.process_time()
    report = evaluate_folders(labels, results, **json.loads(settings))
    seconds, used = time.perf_counter() - start, time.process_time() - used
    means = [report[name] / 100 for name in ('mIoU', 'mIoU_categories', 'iIoU', 'iIoU_categories')]
    Path(out).write_text(json.dumps({'evaluation_s': seconds, 'processor_s': used, 'means': means}))


def timed(command: list[str], out: Path) -> dict[str, object]:
    """Run a contender; return its process and evaluation seconds, and its means."""
    start = time.perf_counter()
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    return {'process_s': time.perf_counter() - start, **json.loads(out.read_text())}


def measure(names: list[str], python: str | None, labels: str, results: str, runs: int) -> dict[str, dict[str, object]]:
    """Run the contenders in turns; return seconds of each run, and how far the means are from ours, in points."""
    found: dict[str, list[dict]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / 'out.json'
        commands = {name: command_of(name, python, labels, results, str(out)) for name in names}
        timed(commands['pointkd'], out)
        for _ in range(runs):
            for name, command in commands.items():
                found[name].append(timed(command, out))
    ours = found['pointkd'][0]['means']
    return {
        name: {
            **{key: [run[key] for run in entries] for key in TIMES},
            'largest_difference': max(100 * abs(a - b) for a, b in zip(ours, entries[0]['means'], strict=True)),
        }
        for name, entries in found.items()
    }


def enlarged_set(folder: Path, factor: int, copies: int) -> tuple[str, str]:
    """Write the made-up images, enlarged and repeated under new names; return the folders of labels and results."""
    import numpy as np

    from pointkd.core.label_images import read_label_image, write_label_image

    for name in ('labels', 'results'):
        with tarfile.open(GOLDEN / f'{name}.tar.gz') as content:
            content.extractall(folder / 'small', filter='data')
        for path in sorted((folder / 'small' / name).rglob('*.png')):
            city, rest = path.name.split('_', 1)
            first = folder / name / city / f'{city}0_{rest}'
            write_label_image(first, np.kron(read_label_image(path), np.ones((factor, factor), np.uint8)))
            for copy in range(1, copies):
                shutil.copy(first, first.with_name(f'{city}{copy}_{rest}'))
    return str(folder / 'labels'), str(folder / 'results')


def show(measured: dict[str, dict], images: int) -> None:
    """Print medians a contender, and how many times faster ours are than the official script."""
    official = measured.get('official')
    heads = ''.join(f'{title:>16}{"ratio":>8}' for title in ('evaluation, s', 'processor, s', 'process, s'))
    print(f'{f"{images} images":20}{heads}{"difference, points":>20}')
    for name, entry in measured.items():
        cells = ''
        for key in TIMES:
            median = statistics.median(entry[key])
            ratio = statistics.median(official[key]) / median if official else float('nan')
            cells += f'{median:16.2f}{ratio:8.1f}'
        print(f'{name:20}{cells}{entry["largest_difference"]:20.2g}')


def main() -> None:
    """Measure, print medians and ratios, write JSON."""
    if sys.argv[1:2] == ['--child']:
        evaluate_ours(*sys.argv[2:6])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--official', metavar='PYTHON', help='python of an environment with cityscapesscripts')
    parser.add_argument('--labels')
    parser.add_argument('--results')
    parser.add_argument('--enlarge', type=int, default=4)
    parser.add_argument('--copies', type=int, default=4)
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--out', help='write every time to this JSON file')
    args = parser.parse_args()
    names = [*OURS, 'official'] if args.official else [*OURS]
    if not args.official:
        print('cityscapesScripts is skipped: give --official PYTHON of an environment where it is installed')
    with tempfile.TemporaryDirectory() as folder:
        given = args.labels and args.results
        labels, results = (
            (str(Path(args.labels).resolve()), str(Path(args.results).resolve()))
            if given
            else enlarged_set(Path(folder), args.enlarge, args.copies)
        )
        measured = measure(names, args.official, labels, results, args.runs)
        images = len(list(Path(labels).rglob('*_gtFine_labelIds.png')))
    show(measured, images)
    if args.out:
        from pointkd.core.files import write_json

        commit = subprocess.run(['git', 'rev-parse', 'HEAD'], cwd=REPOSITORY, capture_output=True, text=True).stdout
        machine = {'date': date.today().isoformat(), 'cores': os.cpu_count(), 'commit': commit.strip()}
        made_up = None if given else {'enlarge': args.enlarge, 'copies': args.copies}
        write_json(
            args.out, {**machine, 'images': images, 'made_up': made_up, 'runs': args.runs, 'contenders': measured}
        )


if __name__ == '__main__':
    main()
