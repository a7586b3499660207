"""Trains on a few labelled KITTI frames (`configs/pointpillars/*_kitti-mini.py`), evaluates on them and on others.

    python tools/overfit_kitti.py --root DIR --train mini_train --val mini_val --out JSON

A detector that learns its training frames by heart shows that readers, geometry, targets and losses are right on real
scans; the other frames show what so few are worth. So few objects leave even the labels themselves below 100: their AP
is given beside. DIR is in KITTI layout, with both lists in ImageSets. A killed run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pointkd.core.files import write_json
from pointkd.core.kitti import read_objects, write_objects
from pointkd.report.results.places import CHECKOUT
from pointkd.report.results.processes import run_verb
from pointkd.report.results.runs import provenance

Verb = Callable[..., str]


def detections(verb: Verb, config: str, weights: Path, data: Path, frames: str) -> Path:
    """Return the folder of a network's result files on the frames of an info file, 'train' or 'val'."""
    results, infos = weights.parent / f'results_{frames}', f'kitti_infos_{frames}.pkl'
    options = [f'test_dataloader.dataset.ann_file={infos}', f'test_evaluator.ann_file={data / infos}']
    verb(
        *('test', config, str(weights), '--data-root', str(data), '--out', str(results)),
        *('--work-dir', str(weights.parent / 'test'), '--cfg-options', *options),
    )
    return results / 'pred_instances_3d'


def perfect(data: Path, frames: str, folder: Path) -> Path:
    """Return a folder of result files that are the labels themselves: few objects leave even these below 100."""
    for frame in names(data, frames).read_text(encoding='utf-8').split():
        objects = read_objects(data / 'training' / 'label_2' / f'{frame}.txt')
        write_objects(folder / f'{frame}.txt', replace(objects, scores=np.ones(len(objects))))
    return folder


def names(data: Path, frames: str) -> Path:
    """Return the file of the names of the frames."""
    return data / 'ImageSets' / f'{frames}.txt'


def score(verb: Verb, data: Path, frames: str, results: Path) -> dict:
    """Return the official AP of a folder of result files."""
    out = results.parent / f'{results.name}.json'
    verb(
        *('evaluate', 'kitti', '--labels', str(data / 'training' / 'label_2'), '--frames', str(names(data, frames))),
        *('--results', str(results), '--out', str(out)),
    )
    return json.loads(out.read_text(encoding='utf-8'))


def main() -> None:
    """Prepare, train, evaluate twice, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--root', type=Path, required=True)
    parser.add_argument('--train', default='mini_train', help='list of the frames to learn')
    parser.add_argument('--val', default='mini_val', help='list of other frames')
    parser.add_argument('--config', default='configs/pointpillars/pointpillars_kitti-mini.py')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--folder', type=Path, default=Path('work_dirs/overfit_kitti'))
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args()
    data, work_dir, config = args.folder.resolve() / 'data', args.folder.resolve() / 'run', str(CHECKOUT / args.config)

    def verb(*words: str) -> str:
        return run_verb(words, home=CHECKOUT, threads=args.threads, output=args.folder.resolve() / 'output.txt')

    splits = f'train={args.train},val={args.val}'
    verb('create-data', 'kitti', '--root', str(args.root.resolve()), '--out', str(data), '--splits', splits)
    verb(
        *('train', config, '--data-root', str(data), '--work-dir', str(work_dir), '--resume'),
        *('--cfg-options', 'val_cfg=None', 'val_dataloader=None', 'val_evaluator=None'),
    )
    content = {**provenance(CHECKOUT), 'config': args.config, 'seed': 0}
    for frames in ('train', 'val'):
        found = detections(verb, config, work_dir / 'last.pth', data, frames)
        content[frames] = {
            'frames': len(names(data, frames).read_text(encoding='utf-8').split()),
            'ap': score(verb, data, frames, found),
            'perfect': score(verb, data, frames, perfect(data, frames, work_dir / f'labels_{frames}')),
        }
    write_json(args.out, content)


if __name__ == '__main__':
    main()
