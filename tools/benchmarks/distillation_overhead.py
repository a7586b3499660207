"""What distillation costs: step times of distilled trainings over (student step + teacher forward), in turns.

    python tools/benchmarks/distillation_overhead.py --rounds 30 --out docs/results/distillation_overhead.json
    python tools/benchmarks/distillation_overhead.py --profile LocalGraph

Student and teacher are the demo's, batches are street scenes that are loaded and augmented once, before the clock
starts. A step is what training does with a batch: preprocessing, forward, backward, optimiser (at learning rate 0, so
that every round sees the same nets). In each round every arm makes one step on the same batch, beside the student alone
and the teacher's forward. `overhead` divides an arm's step by student step + teacher forward up to the arm's last tap,
`over_whole_teacher` by student step + the teacher's whole forward; both round by round, given as median and quartiles.
Run this with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from pointkd.core.files import write_json
from pointkd.distill.inputs import own_inputs
from pointkd.engine.loops import guarded, take_reports
from pointkd.engine.train import build_runner
from pointkd.io.build import build_model
from pointkd.io.checkpoints import save_checkpoint
from pointkd.io.config import load_config

REPOSITORY = Path(__file__).resolve().parents[2]
DEMO = REPOSITORY / 'configs' / 'demo'
ARMS: dict[str, list[dict[str, Any]]] = {
    'LocalGraph': [dict(type='LocalGraph', student='voxel_encoder')],
    'LocalGraph published': [dict(type='LocalGraph', student='voxel_encoder', published=True)],
    'ChannelWise': [dict(type='ChannelWise', student='neck[0]')],
    'Logits': [dict(type='Logits', student='bbox_head.conv_cls')],
    'FeatureMimic': [dict(type='FeatureMimic', student='voxel_encoder')],
    'LocalGraph + Logits': [
        dict(type='LocalGraph', student='voxel_encoder'),
        dict(type='Logits', student='bbox_head.conv_cls'),
    ],
}
# Parts of a distilled step, by the module and name under which they are called.
STAGES = (
    ('pointkd.distill.distiller', 'own_inputs'),
    ('pointkd.distill.teacher', 'Teacher.run'),
    ('pointkd.distill.distiller', 'Distiller._distil'),
    ('pointkd.distill.reading', 'Reader.read'),
    ('pointkd.distill.term', 'match'),
    ('pointkd.distill.methods.local_graph', 'candidates'),
    ('pointkd.distill.methods.local_graph', 'build_graph'),
    ('pointkd.distill.methods.local_graph', 'knn'),
    ('pointkd.distill.methods._graph_layers', 'graph_loss'),
    ('pointkd.distill.methods._graph_layers', 'edge_errors'),
    ('pointkd.distill.methods.local_graph', '_watched'),
    ('pointkd.distill.methods.local_graph', '_scalars'),
    ('pointkd.distill.collapse', 'CollapseWatch.look'),
)


class Trainee:
    """A student, distilled or alone, with its optimiser, built as training builds it.

    Args:
        config: of the run.
        folder: where the run would write.
        amp: mixed precision.
    """

    def __init__(self, config: Any, folder: Path, amp: bool) -> None:
        self.runner = build_runner(config, folder, amp=amp)
        self.model = self.runner.model.train()
        wrapper = self.runner.build_optim_wrapper(self.runner.optim_wrapper)
        self.optimiser = guarded(wrapper)
        self.steps = 0
        for group in wrapper.param_groups:
            group['lr'] = 0.0

    def load(self, count: int) -> list[dict[str, Any]]:
        """Return augmented batches as the run's data loader gives them."""
        loader, batches = self.runner.train_dataloader, []
        while len(batches) < count:
            loader.batch_sampler.start(len(batches), 0)
            batches += loader
        for batch in batches:
            take_reports(batch)
        return batches[:count]

    def step(self, batch: dict[str, Any]) -> None:
        """Make one training step on a raw batch."""
        if hasattr(self.model, 'set_progress'):
            self.model.set_progress(self.steps, 1000)
        self.steps += 1
        self.model.train_step(batch, optim_wrapper=self.optimiser)

    def teach(self, batch: dict[str, Any], *, whole: bool = False) -> None:
        """Run the teacher's forward alone on a preprocessed batch."""
        taps = [term.teacher_tap for term in self.model.adapters.terms]
        with self.optimiser.optim_context(self.model):
            self.model.teacher.run(batch, taps, whole=whole)


def make_scenes(folder: Path, scenes: int) -> Path:
    """Make street scenes where they are missing, and return their folder."""
    from pointkd.cli.main import main

    data = folder / 'data'
    main(['create-data', 'synthetic-kitti', '--scenes', str(scenes), '--out', str(data)])
    main(['create-data', 'kitti', '--root', str(data)])
    return data


def teacher_weights(folder: Path, given: Path | None) -> Path:
    """Return the teacher's weights: those given, those of the checkout, else random ones."""
    shipped = REPOSITORY / 'data' / 'demo' / 'teacher.pth'
    if given or shipped.is_file():
        return (given or shipped).resolve()
    torch.manual_seed(0)
    weights = build_model(load_config(DEMO / 'teacher.py', pretrained=False)).state_dict()
    save_checkpoint(folder / 'random_teacher.pth', {'state_dict': weights})
    return folder / 'random_teacher.pth'


def build(name: str | None, folder: Path, data: Path, weights: Path, amp: bool) -> Trainee:
    """Build an arm, or the student alone."""
    config = load_config(DEMO / 'student.py', data_root=str(data), pretrained=False)
    config.log_level = 'ERROR'
    config.train_dataloader.update(num_workers=0, persistent_workers=False)
    if name is not None:
        teacher = dict(config=str(DEMO / 'teacher.py'), checkpoint=str(weights))
        config.distill = dict(teacher=teacher, methods=ARMS[name])
    return Trainee(config, folder / 'runs' / (name or 'student').replace(' ', '_'), amp)


def measure(
    arms: dict[str, Trainee], student: Trainee, batches: list[dict[str, Any]], rounds: int
) -> dict[str, np.ndarray]:
    """Return milliseconds by name, one a round (the first round warms up and is dropped)."""
    prepared = [student.model.data_preprocessor(copy.deepcopy(batch), True) for batch in batches]
    first = next(iter(arms.values()))
    calls: dict[str, tuple[Callable[[dict], None], list[dict]]] = {'student': (student.step, batches)}
    calls['teacher'] = (lambda batch: first.teach(batch, whole=True)), prepared
    for name, arm in arms.items():
        calls[name] = arm.step, batches
        calls[f'{name}: teacher'] = arm.teach, prepared
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, (call, source) in calls.items():
            batch = source[turn % len(source)]
            batch = own_inputs(batch) if source is prepared else copy.deepcopy(batch)
            start = time.perf_counter()
            call(batch)
            times[name].append((time.perf_counter() - start) * 1e3)
    return {name: np.array(values[1:]) for name, values in times.items()}


def quartiles(values: np.ndarray, digits: int = 3) -> dict[str, float]:
    """Return median and quartiles of what was measured round by round."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {key: round(float(v), digits) for key, v in (('median', middle), ('q25', low), ('q75', high))}


def summarise(times: dict[str, np.ndarray], names: list[str]) -> dict[str, Any]:
    """Return the table: for each arm its step, its part of the teacher's forward and the two ratios."""
    student, whole = times['student'], times['teacher']
    summary: dict[str, Any] = {'student_ms': quartiles(student, 2), 'teacher_ms': quartiles(whole, 2), 'arms': {}}
    for name in names:
        step, needed = times[name], times[f'{name}: teacher']
        summary['arms'][name] = {
            'step_ms': quartiles(step, 2),
            'teacher_to_last_tap_ms': quartiles(needed, 2),
            'overhead': quartiles(step / (student + needed)),
            'over_whole_teacher': quartiles(step / (student + whole)),
        }
    return summary


def show(summary: dict[str, Any]) -> None:
    """Print the table."""
    student, teacher = (summary[key]['median'] for key in ('student_ms', 'teacher_ms'))
    print(f'student step {student:.1f} ms, teacher forward {teacher:.1f} ms (medians)\n')
    print(f'{"":22}{"step, ms":>10}{"teacher, ms":>13}{"overhead":>10}{"quartiles":>15}{"over whole teacher":>20}')
    for name, arm in summary['arms'].items():
        overhead, whole = arm['overhead'], arm['over_whole_teacher']
        spread = f'{overhead["q25"]:.2f} to {overhead["q75"]:.2f}'
        times = f'{arm["step_ms"]["median"]:10.1f}{arm["teacher_to_last_tap_ms"]["median"]:13.1f}'
        print(f'{name:22}{times}{overhead["median"]:10.2f}{spread:>15}{whole["median"]:20.2f}')


@contextmanager
def stopwatch(found: dict[str, float]) -> Iterator[None]:
    """Sum the processor seconds of the stages (each with what it calls) while the block runs."""
    originals = []
    for module, path in STAGES:
        owner: Any = importlib.import_module(module)
        *parents, name = path.split('.')
        for parent in parents:
            owner = getattr(owner, parent)
        original = getattr(owner, name)
        originals.append((owner, name, original))
        setattr(owner, name, _timed(original, path, found))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def _timed(function: Callable[..., Any], name: str, found: dict[str, float]) -> Callable[..., Any]:
    """Return a function that adds its seconds to an entry."""

    def call(*args: Any, **settings: Any) -> Any:
        start = time.process_time()
        try:
            return function(*args, **settings)
        finally:
            found[name] = found.get(name, 0.0) + time.process_time() - start

    return call


def show_profile(arm: Trainee, student: Trainee, batches: list[dict[str, Any]], rounds: int) -> None:
    """Print where the processor time of a distilled step goes: by stage (inclusive), and torch's operators."""
    found: dict[str, float] = {}
    totals = {'student': 0.0, 'distilled': 0.0}
    for turn in range(rounds + 1):
        for name, trainee in (('student', student), ('distilled', arm)):
            batch = copy.deepcopy(batches[turn % len(batches)])
            start = time.process_time()
            with stopwatch(found):
                trainee.step(batch)
            totals[name] += time.process_time() - start
        if not turn:
            found.clear()
            totals = dict.fromkeys(totals, 0.0)
    for name, seconds in totals.items():
        print(f'{name:28}{seconds / rounds * 1e3:9.2f} ms a step')
    for name, seconds in found.items():
        print(f'  {name:26}{seconds / rounds * 1e3:9.2f} ms{seconds / totals["distilled"]:8.1%}')
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        for batch in copy.deepcopy(batches[:rounds]):
            arm.step(batch)
    print(trace.key_averages().table(sort_by='self_cpu_time_total', row_limit=25, max_name_column_width=40))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--arms', nargs='+', choices=ARMS, default=list(ARMS))
    parser.add_argument('--rounds', type=int, default=30)
    parser.add_argument('--batches', type=int, default=8)
    parser.add_argument('--scenes', type=int, default=48)
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--amp', action='store_true', help='bf16')
    parser.add_argument('--teacher', type=Path, help='weights; default data/demo/teacher.pth, else random ones')
    parser.add_argument('--profile', choices=ARMS, help='instead: where the time of this arm goes')
    parser.add_argument('--folder', type=Path, default=Path('work_dirs/distillation_overhead'))
    parser.add_argument('--out', type=Path, help='JSON to write')
    return parser.parse_args()


def main() -> None:
    """Measure, print the table, write the numbers."""
    args = arguments()
    torch.set_num_threads(args.threads)
    folder = args.folder.resolve()
    data = make_scenes(folder, args.scenes)
    weights = teacher_weights(folder, args.teacher)
    names = [args.profile] if args.profile else args.arms
    student = build(None, folder, data, weights, args.amp)
    batches = student.load(args.batches)
    arms = {name: build(name, folder, data, weights, args.amp) for name in names}
    if args.profile:
        show_profile(arms[args.profile], student, batches, args.rounds)
        return
    summary = summarise(measure(arms, student, batches, args.rounds), names)
    show(summary)
    if args.out:
        command = ['git', 'rev-parse', 'HEAD']
        commit = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.strip()
        machine = {'date': date.today().isoformat(), 'cores': os.cpu_count(), 'commit': commit}
        run = {'rounds': args.rounds, 'batches': args.batches, 'threads': args.threads, 'amp': args.amp}
        write_json(args.out, {**machine, **run, 'teacher': weights.name, **summary})


if __name__ == '__main__':
    main()
