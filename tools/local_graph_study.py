"""What local graphs look at and how hard they pull: measured while a student trains, for several settings.

    python tools/local_graph_study.py --out docs/results/measurements/local_graph_study.json

One student trains alone while every setting only watches (weight 0), then one student for each setting with the weight
of the setting. The nets are the demo's; scenes are made once. Per setting, over the first and the last tenth of steps:

- `foreground`: share of the weight that lies on centres in a labelled box, and of all elements (what chance gives);
- `effective_share`: effective number of centres over their number;
- `target_spread`: standard deviation of the teacher's compared features;
- `error`: squared difference of student and teacher over the teacher's variance: 1 is what a constant gives;
- `gradient`: norm of the term's gradient at the tapped student feature, at its weight, over that of the task loss.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import Tensor

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from pointkd.core.files import write_json
from pointkd.distill.balance import gradient_norm
from pointkd.distill.methods import local_graph
from pointkd.distill.methods._graph_sets import Candidates, candidates
from pointkd.distill.methods._graphs import Graph
from pointkd.distill.methods.base import Context
from pointkd.distill.term import DistillationTerm
from pointkd.engine.train import build_runner
from pointkd.io.config import load_config

REPOSITORY = Path(__file__).resolve().parents[1]
DEMO = REPOSITORY / 'configs' / 'demo'
SEEN = dict(score='confidence', confidence='bbox_head.conv_cls')
SETTINGS: dict[str, dict[str, Any]] = {
    'pillars': dict(student='voxel_encoder', weight=1.0),
    'pillars-published': dict(student='voxel_encoder', weight=1.0, published=True),
    'pillars-confidence': dict(student='voxel_encoder', weight=1.0, **SEEN),
    'map': dict(student='neck[0]', samples=256, weight=3.0),
    'map-confidence': dict(student='neck[0]', samples=256, weight=3.0, **SEEN),
    'scores-confidence': dict(
        student='bbox_head.conv_cls', neighbors_in='space', samples=256, neighbors=16, weight=3.0, **SEEN
    ),
}
MEASURES = ('foreground', 'chance', 'effective_share', 'target_spread', 'error', 'gradient')


@dataclass
class Probe:
    """Looks at every term at each of some steps; stands in for `DistillationTerm.weighted` while a student trains.

    Attributes:
        weights: at which gradients are reported, by the name of the term.
        every: steps between looks.
        found: measures by term, one entry a look.
    """

    weights: dict[str, float]
    every: int
    found: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    graphs: list[Graph] = field(default_factory=list)
    elements: Candidates | None = None
    samples: list[Tensor] = field(default_factory=list)

    def weighted(self, term: DistillationTerm, pairs: Any, context: Context, task_loss: Tensor) -> dict[str, Tensor]:
        """Compute the term as ever, and look at it where it is its turn."""
        result = _weighted(term, pairs, context, task_loss)
        if context.iteration % self.every == 0:
            self.graphs.clear()
            seen = term(pairs, context)
            task = gradient_norm(task_loss, [pairs[0][0].values])
            own = gradient_norm(seen.loss, [pairs[0][0].values]) * self.weights[term.name]
            measures = {'gradient': float(own / task), 'effective_share': float(seen.scalars['effective_share'])}
            measures |= compared(*seen.matched) | self._foreground(context.data_samples)
            self.found.setdefault(term.name, []).append(measures)
        return result

    def candidates(self, student: Any, teacher: Any, *settings: Any) -> Candidates:
        """Note the elements that graphs are drawn from."""
        self.elements, self.samples = candidates(student, teacher, *settings), teacher.places()
        return self.elements

    def build_graph(self, teacher: Tensor, entry: Any, recipe: Any) -> Graph:
        """Note a graph."""
        self.graphs.append(_build_graph(teacher, entry, recipe))
        return self.graphs[-1]

    def _foreground(self, data_samples: Sequence[Any]) -> dict[str, float]:
        """Return the share of the weight on centres in boxes, and of all elements."""
        assert self.elements is not None  # the term has just drawn its graphs
        positions = torch.zeros(sum(map(len, self.samples)), 3)
        for entry in self.elements.sets:
            positions[entry.places] = entry.positions.float()
        hit = torch.zeros(len(positions))
        for places, sample in zip(self.samples, data_samples, strict=True):
            hit[places] = in_boxes(positions[places], sample.gt_instances_3d.bboxes_3d.tensor).float()
        weights = torch.cat([graph.weights for graph in self.graphs])
        centres = torch.cat([graph.centres for graph in self.graphs])
        return {'foreground': float((hit[centres] * weights).sum() / weights.sum()), 'chance': float(hit.mean())}


_weighted, _build_graph = DistillationTerm.weighted, local_graph.build_graph


def compared(ours: Tensor, theirs: Tensor) -> dict[str, float]:
    """Return spread of the target and relative error of compared rows (M, C)."""
    variance = (theirs - theirs.mean(0)).square().mean()
    return {
        'target_spread': float(variance.sqrt()),
        'error': float((ours - theirs).square().mean() / variance.clamp(min=1e-12)),
    }


def in_boxes(points: Tensor, boxes: Tensor) -> Tensor:
    """Return which points (M, 3) lie in one of some boxes (B, 7: x y z l w h yaw) as seen from above."""
    if not len(boxes):
        return torch.zeros(len(points), dtype=torch.bool)
    offset = points[:, None, :2] - boxes[None, :, :2]
    cosine, sine = boxes[:, 6].cos(), boxes[:, 6].sin()
    along = offset[..., 0] * cosine + offset[..., 1] * sine
    across = offset[..., 1] * cosine - offset[..., 0] * sine
    return ((along.abs() <= boxes[:, 3] / 2) & (across.abs() <= boxes[:, 4] / 2)).any(1)


def train(names: Sequence[str], weight: float | None, data: Path, folder: Path, steps: int, every: int) -> Probe:
    """Train a student with some settings, and return what was seen.

    Args:
        names: of the settings.
        weight: in place of each setting's own.
        data: scenes, prepared.
        folder: for logs.
        steps: of the training.
        every: steps between looks.
    """
    methods = [dict(SETTINGS[name], type='LocalGraph', name=name) for name in names]
    probe = Probe({method['name']: method['weight'] for method in methods}, every)
    for method in methods:
        method['weight'] = method['weight'] if weight is None else weight
    config = load_config(DEMO / 'student.py', data_root=str(data), pretrained=False)
    teacher = dict(config=str(DEMO / 'teacher.py'), checkpoint=str(REPOSITORY / 'data' / 'demo' / 'teacher.pth'))
    config.distill = dict(teacher=teacher, methods=methods)
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=steps, val_interval=steps)
    config.param_scheduler = [dict(type='OneCycleLR', eta_max=3e-3, total_steps=steps, pct_start=0.4, by_epoch=False)]
    config.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=steps)
    config.update(val_cfg=None, val_dataloader=None, val_evaluator=None, log_level='WARNING')
    runner = build_runner(config, folder, amp=False)
    DistillationTerm.weighted = lambda term, *rest: probe.weighted(term, *rest)  # type: ignore[method-assign]
    local_graph.candidates, local_graph.build_graph = probe.candidates, probe.build_graph
    try:
        runner.train()
    finally:
        DistillationTerm.weighted = _weighted  # type: ignore[method-assign]
        local_graph.candidates, local_graph.build_graph = candidates, _build_graph
    return probe


def summary(entries: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Return the mean of each measure over the first and the last tenth of the looks."""
    tenth = max(1, len(entries) // 10)
    parts = (entries[:tenth], entries[-tenth:])
    return {name: [round(float(np.mean([look[name] for look in part])), 4) for part in parts] for name in MEASURES}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--steps', type=int, default=600)
    parser.add_argument('--every', type=int, default=6, help='steps between looks')
    parser.add_argument('--scenes', type=int, default=240)
    parser.add_argument('--settings', nargs='+', choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument('--folder', type=Path, default=Path('work_dirs/local_graph_study'))
    parser.add_argument('--out', type=Path, help='JSON to write')
    return parser.parse_args()


def main() -> None:
    """Train, look, print, write."""
    args = arguments()
    torch.set_num_threads(1)
    folder = args.folder.resolve()
    from pointkd.cli.main import main as verb

    verb(['create-data', 'synthetic-kitti', '--scenes', str(args.scenes), '--out', str(folder / 'data')])
    verb(['create-data', 'kitti', '--root', str(folder / 'data')])
    watched = train(args.settings, 0.0, folder / 'data', folder / 'watched', args.steps, args.every)
    result: dict[str, Any] = {'settings': {}}
    for name in args.settings:
        taught = train([name], None, folder / 'data', folder / name, args.steps, args.every)
        result['settings'][name] = {
            'alone': summary(watched.found[name]),
            'distilled': summary(taught.found[name]),
        }
        print(name, result['settings'][name], flush=True)
    command = ['git', 'rev-parse', '--short=12', 'HEAD']
    commit = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.strip()
    made = {'date': date.today().isoformat(), 'commit': commit, 'steps': args.steps, 'scenes': args.scenes}
    if args.out:
        write_json(args.out, {**made, **result})


if __name__ == '__main__':
    main()
