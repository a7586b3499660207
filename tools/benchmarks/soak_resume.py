"""Soak test of `--resume`: distilled trainings killed (`kill -9`) at random moments must end as an unbroken one does.

    python tools/benchmarks/soak_resume.py --kills 20 --out docs/results/soak_resume.json

A shrunk student of the demo is distilled (trained adapters, a balance by gradient share, EMA, accumulated gradients, a
worker process, validations) once without a break, then once for each trial: SIGKILL at a random moment, `--resume`,
perhaps killed again, until it ends. The moments of all trials cover the whole run evenly, from the first import to the
last validation; every fourth waits for a checkpoint that is just being written. Then every tensor of `last.pth` (the
weights, EMA weights, adapters, optimiser and schedules) is compared bit for bit. Each trial is written to the JSON as
it ends; run the command again and it does the missing ones. Exit code 1 where anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pointkd.core.errors import PointKDError, TrainingError
from pointkd.core.files import write_json, write_text

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = """\
_base_ = ['{base}']
custom_hooks = [{hooks}]
optim_wrapper = dict(accumulative_counts={accumulate})
train_dataloader = dict(batch_size=2, num_workers={workers}, persistent_workers={persistent})
val_dataloader = dict(num_workers={workers}, persistent_workers={persistent})
train_cfg = dict(max_iters={iterations}, val_interval={quarter})
param_scheduler = [dict(type='OneCycleLR', eta_max=3e-3, total_steps={iterations}, pct_start=0.4, by_epoch=False)]
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval={quarter}, save_best='auto', rule='greater', max_keep_ckpts=1))
reliability = dict(save_iterations=4)
distill = dict(
    teacher=dict(config='{teacher}', checkpoint='teacher.pth'),
    methods=[
        dict(type='LocalGraph', student='voxel_encoder', samples=200, schedule=dict(type='Warmup', end=0.2)),
        dict(type='FeatureMimic', student='neck', share=0.5),
        dict(type='Logits', student='bbox_head.conv_cls', schedule=dict(type='Until', end=0.8)),
    ])
"""
COMPARED = ('state_dict', 'ema_state_dict', 'distill', 'optimizer', 'param_schedulers')
PHASES = ('start-up', 'training', 'writing', 'validation')
POLL_S = 0.0005  # between looks for a checkpoint that is being written
TRIES = 5  # moments drawn for a first kill: a run may be faster than the unbroken one was


@dataclass(frozen=True)
class Settings:
    """What the trainings are, and when they are killed."""

    seed: int
    iterations: int
    scenes: int
    workers: int
    threads: int
    accumulate: int
    ema: bool
    again: float


@dataclass
class Kill:
    """One SIGKILL.

    Attributes:
        after_s: seconds from the start of the process.
        phase: what the process was doing, one of `PHASES` (`writing` a checkpoint).
        checkpoint: iteration from which the next process goes on, 0 from the beginning.
    """

    after_s: float
    phase: str
    checkpoint: int


class Soak:
    """The trainings of one folder.

    Args:
        folder: where they write.
        settings: of all of them.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.data, self.config = folder / 'data', folder / 'distilled.py'

    def prepare(self) -> None:
        """Make scenes, a teacher with random weights and the config, where they are missing."""
        from pointkd.cli.main import main

        made = main(['create-data', 'synthetic-kitti', '--scenes', str(self.settings.scenes), '--out', str(self.data)])
        if made or main(['create-data', 'kitti', '--root', str(self.data)]):
            raise TrainingError(f'{self.data}: the scenes could not be made')
        if not (self.folder / 'teacher.pth').is_file():
            self._write_teacher()
        demo, settings = REPOSITORY / 'configs' / 'demo', self.settings
        text = CONFIG.format(
            base=demo / 'student.py',
            teacher=demo / 'teacher.py',
            hooks="dict(type='EMAHook')" if settings.ema else '',
            accumulate=settings.accumulate,
            workers=settings.workers,
            persistent=settings.workers > 0,
            iterations=settings.iterations,
            quarter=max(1, settings.iterations // 4),
        )
        write_text(self.config, text)

    def start(self, run: Path, *, resume: bool) -> subprocess.Popen:
        """Start a training as a user does."""
        words = [sys.executable, '-m', 'pointkd.cli.main', 'train', self.config, '--work-dir', run]
        words += ['--data-root', self.data, '--no-pretrained', *(['--resume'] if resume else [])]
        run.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, 'OMP_NUM_THREADS': str(self.settings.threads), 'PYTHONPATH': str(REPOSITORY)}
        with open(run / 'output.txt', 'a', encoding='utf-8') as output:
            return subprocess.Popen(words, env=environment, stdout=output, stderr=subprocess.STDOUT)

    def finish(self, run: Path, process: subprocess.Popen) -> None:
        """Wait for a training to end well."""
        if process.wait():
            raise TrainingError(f'{run}/output.txt: the training ended with code {process.returncode}')

    def unbroken(self) -> float:
        """Train without a break, unless that was done with these settings; return its seconds."""
        run, note = self.folder / 'unbroken', self.folder / 'unbroken.json'
        done = json.loads(note.read_text(encoding='utf-8')) if note.is_file() else {}
        if done.get('settings') != asdict(self.settings):
            shutil.rmtree(run, ignore_errors=True)
            start = time.monotonic()
            self.finish(run, self.start(run, resume=False))
            done = {'settings': asdict(self.settings), 'seconds': round(time.monotonic() - start, 1)}
            write_json(note, done)
        return float(done['seconds'])

    def trial(self, number: int, trials: int, seconds: float) -> dict[str, Any]:
        """Kill and resume one training until it ends, and compare it with the unbroken one."""
        dice = random.Random(f'{self.settings.seed}/{number}')
        slices = random.Random(self.settings.seed).sample(range(trials), trials)
        run = self.folder / f'trial-{number:02d}'
        for _ in range(TRIES):
            shutil.rmtree(run, ignore_errors=True)
            moment = (slices[number] + dice.random()) / trials * seconds
            start = time.monotonic()
            kills = [self.kill(run, moment, writing=number % 4 == 3, resume=False)]
            if kills[0]:
                break
            seconds = min(seconds, time.monotonic() - start)  # the machine is faster than it was
        else:
            raise TrainingError(f'{run}: the training ended before every one of {TRIES} kills; make it longer')
        while kills[-1] and dice.random() < self.settings.again:
            kills.append(self.kill(run, dice.random() * seconds, writing=False, resume=True))
        if kills[-1]:
            self.finish(run, self.start(run, resume=True))
        different = differences(self.folder / 'unbroken' / 'last.pth', run / 'last.pth')
        if not different:
            shutil.rmtree(run)
        return {'trial': number, 'kills': [asdict(kill) for kill in kills if kill], 'differences': different}

    def kill(self, run: Path, moment: float, *, writing: bool, resume: bool) -> Kill | None:
        """Start a training and kill it; None where it ended before.

        Args:
            run: its folder.
            moment: seconds from its start.
            writing: then wait for the next checkpoint that is being written.
            resume: go on with what is in the folder.
        """
        before = {*run.glob('*/*.log'), *half_written(run)}
        start, process = time.monotonic(), self.start(run, resume=resume)
        while process.poll() is None and time.monotonic() - start < moment:
            time.sleep(min(0.02, max(0.0, moment - (time.monotonic() - start))))
        while writing and process.poll() is None and half_written(run) <= before:
            time.sleep(POLL_S)
        ended = process.poll()
        process.kill()
        after = time.monotonic() - start
        process.wait()
        if ended is not None:
            self.finish(run, process)
            return None
        return Kill(round(after, 2), phase(run, before), iteration(run))

    def _write_teacher(self) -> None:
        """Write random weights for the demo's teacher: equality of bits asks for no good one."""
        import torch

        import pointkd.engine  # noqa: F401 - prepares OpenMMLab
        from pointkd.io.build import build_model
        from pointkd.io.checkpoints import save_checkpoint
        from pointkd.io.config import load_config

        torch.manual_seed(0)
        teacher = build_model(load_config(REPOSITORY / 'configs' / 'demo' / 'teacher.py', pretrained=False))
        save_checkpoint(self.folder / 'teacher.pth', {'state_dict': teacher.state_dict()})


def half_written(run: Path) -> set[Path]:
    """Return the checkpoints that stand in a run's folder under their temporary names."""
    return {
        run / name for name in (os.listdir(run) if run.is_dir() else []) if '.pth.' in name and name.endswith('.tmp')
    }


def phase(run: Path, before: set[Path]) -> str:
    """Return what a process was doing when it was killed.

    Args:
        run: its folder.
        before: log files, and checkpoints half written, of the processes before it.
    """
    if half_written(run) - before:
        return 'writing'
    lines = [line for log in set(run.glob('*/*.log')) - before for line in log.read_text('utf-8').splitlines()]
    steps = [line for line in lines if 'Iter(train)' in line or 'Iter(val)' in line]
    if not steps:
        return 'start-up'
    return 'validation' if 'Iter(val)' in steps[-1] else 'training'


def iteration(run: Path) -> int:
    """Return the iteration of a run's last checkpoint, 0 where there is none."""
    from pointkd.io.checkpoints import read_checkpoint

    file = run / 'last.pth'
    return int(read_checkpoint(file)['meta']['iter']) if file.is_file() else 0


def differences(first: Path, second: Path) -> list[str]:
    """Return the entries of two checkpoints that are not equal bit for bit."""
    import pointkd.engine  # noqa: F401 - the types that a checkpoint may hold
    from pointkd.io.checkpoints import read_checkpoint

    one, two = read_checkpoint(first), read_checkpoint(second)
    found = [name for key in COMPARED for name in unequal(one.get(key), two.get(key), key)]
    return found + [f'meta.{key}' for key in ('iter', 'seed') if one['meta'][key] != two['meta'][key]]


def unequal(one: Any, two: Any, path: str) -> list[str]:
    """Return the paths below which two nests of containers differ; tensors by their bytes."""
    import torch

    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        return [] if one.dtype == two.dtype and one.shape == two.shape and _bytes(one) == _bytes(two) else [path]
    if type(one) is not type(two):
        return [path]
    if isinstance(one, dict):
        if list(one) != list(two):
            return [path]
        return [name for key in one for name in unequal(one[key], two[key], f'{path}.{key}')]
    if isinstance(one, list | tuple):
        if len(one) != len(two):
            return [path]
        pairs = enumerate(zip(one, two, strict=True))
        return [name for place, pair in pairs for name in unequal(*pair, f'{path}.{place}')]
    return [] if one == two else [path]


def _bytes(tensor: Any) -> bytes:
    """Return a tensor's values as bytes, in row-major order."""
    import torch

    return tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()


def read_results(out: Path, settings: Settings, trials: int) -> dict[str, Any]:
    """Return what an earlier call wrote, or an empty record.

    Raises:
        TrainingError: it belongs to another soak.
    """
    own = {'settings': asdict(settings), 'trials': trials}
    if not out.is_file():
        return {**own, 'runs': []}
    record = json.loads(out.read_text(encoding='utf-8'))
    if {key: record.get(key) for key in own} != own:
        raise TrainingError(f'{out}: holds a soak with other settings; choose another --out or remove it')
    return record


def table(record: dict[str, Any]) -> str:
    """Return the results as text, one line a trial."""
    lines = [f'{"trial":>5}  {"killed (after seconds, resumed from iteration)":70}  final state']
    for run in record['runs']:
        kills = ', '.join(f'{kill["phase"]} ({kill["after_s"]:.1f} s, {kill["checkpoint"]})' for kill in run['kills'])
        lines.append(f'{run["trial"]:>5}  {kills:70}  {", ".join(run["differences"][:3]) or "equal"}')
    kills = [kill for run in record['runs'] for kill in run['kills']]
    equal = sum(not run['differences'] for run in record['runs'])
    phases = ', '.join(f'{name} {sum(kill["phase"] == name for kill in kills)}' for name in PHASES)
    lines.append(f'{equal} of {len(record["runs"])} trials equal bit for bit after {len(kills)} kills ({phases})')
    return '\n'.join(lines)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, default=20, help='trainings that are killed, each at least once')
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    parser.add_argument('--again', type=float, default=0.3, help='chance that a resumed training is killed, too')
    parser.add_argument('--iterations', type=int, default=200)
    parser.add_argument('--scenes', type=int, default=16)
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--accumulate', type=int, default=2, help='batches an update')
    parser.add_argument('--ema', action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument('--folder', type=Path, default=Path('work_dirs/soak_resume'))
    parser.add_argument('--out', type=Path, help='JSON to write; default results.json in the folder')
    return parser.parse_args()


def main() -> int:
    """Run the trials that are missing, print a table."""
    args = arguments()
    settings = Settings(**{name: getattr(args, name) for name in Settings.__dataclass_fields__})
    out = (args.out or args.folder / 'results.json').resolve()
    soak = Soak(args.folder.resolve(), settings)
    record = read_results(out, settings, args.kills)
    soak.prepare()
    seconds = soak.unbroken()
    command = ['git', 'rev-parse', 'HEAD']
    commit = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.strip()
    done = {run['trial'] for run in record['runs']}
    for number in (number for number in range(args.kills) if number not in done):
        print(f'trial {number} of {args.kills}', flush=True)
        run = soak.trial(number, args.kills, seconds)
        record['runs'].append({**run, 'date': date.today().isoformat(), 'commit': commit})
        record['unbroken_s'] = seconds
        write_json(out, record)
    print(table(record))
    return int(any(run['differences'] for run in record['runs']))


if __name__ == '__main__':
    try:
        sys.exit(main())
    except PointKDError as error:
        sys.exit(f'soak_resume: {error}')
