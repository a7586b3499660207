"""`pointkd results SUITE`: runs a suite of trainings and writes its tables."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pointkd.core.errors import ConfigError

if TYPE_CHECKING:
    from pointkd.report.results.execute import Choice
    from pointkd.report.results.places import Places
    from pointkd.report.results.suite import Suite

HELP = 'run a suite of trainings with seeds and controls, and write its tables'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('suite', metavar='SUITE', help='name of a file in configs/results, without .py')
    what = parser.add_mutually_exclusive_group()
    what.add_argument('--list', action='store_true', help='only say what is done, what is missing, how long it takes')
    what.add_argument('--tables', action='store_true', help='only write tables and plots of what is done')
    what.add_argument('--check', action='store_true', help='do tables, JSONs and the suite match? exit code 1 if not')
    what.add_argument('--calibrate', action='store_true', help='time a step of every row; nothing else may run')
    what.add_argument('--latency', action='store_true', help="time every row's network; nothing else may run")
    what.add_argument(
        '--pictures', nargs='+', metavar='ROW', help='segmentation: draw what these rows see, in work_dirs'
    )
    what.add_argument('--tune', metavar='ARM', help="try an arm's grid on the validation frames")
    what.add_argument('--make-teacher', metavar='NAME', help='train a teacher and pack it into data/teachers')
    parser.add_argument('--only', nargs='+', default=[], metavar='ARM', help='only these rows (`teacher` is one)')
    parser.add_argument('--dataset', nargs='+', default=[], metavar='NAME', help='only these data sets')
    parser.add_argument('--max-runs', type=int, metavar='N', help='stop after so many runs')
    parser.add_argument(
        '--jobs', type=int, default=1, metavar='N', help='make N runs at once (as many as cores, at one thread a run)'
    )
    parser.add_argument('--seeds', type=int, metavar='N', help="runs of each row, in place of the suite's number")
    parser.add_argument(
        '--data', nargs='+', default=[], metavar='NAME=DIR', help='where data of yours lie (default: $POINTKD_SHARED)'
    )
    parser.add_argument('--home', metavar='DIR', help='checkout with configs, docs and data (default: this one)')


def run(args: argparse.Namespace) -> int:
    """Do what is asked for; return 1 where something does not match or failed."""
    from pointkd.report.results.places import CHECKOUT, Places
    from pointkd.report.results.reading import read_suite

    home = Path(args.home).resolve() if args.home else CHECKOUT
    suite, places = read_suite(home, args.suite), Places(home, args.suite)
    choice = _choice(args, suite)
    if args.check:
        return _check(suite, places)
    if args.list:
        _list(suite, places, choice)
        return 0
    failed = 0 if args.tables else _work(args, suite, places, choice)
    _write(suite, places)
    return 1 if failed else 0


def _choice(args: argparse.Namespace, suite: Suite) -> Choice:
    """Return which runs the arguments ask for.

    Raises:
        ConfigError: a name that the suite does not have, or a number below 1.
    """
    from pointkd.report.results.execute import Choice
    from pointkd.report.results.parts import TEACHER

    for name in args.only:
        if name != TEACHER:
            suite.arm(name)
    for name in args.dataset:
        suite.dataset(name)
    for option, value in (('--max-runs', args.max_runs), ('--seeds', args.seeds), ('--jobs', args.jobs)):
        if value is not None and value < 1:
            raise ConfigError(f'{option} {value}: at least 1')
    given = {}
    for entry in args.data:
        name, mark, folder = entry.partition('=')
        if not mark or not folder:
            raise ConfigError(f'--data {entry}: expected NAME=DIR')
        given[suite.dataset(name).name] = Path(folder)
    return Choice(args.only, args.dataset, args.max_runs, args.seeds, given, args.jobs)


def _work(args: argparse.Namespace, suite: Suite, places: Places, choice: Choice) -> int:
    """Calibrate, tune, make a teacher or make runs; return how many runs failed."""
    from pointkd.report.results.execute import execute
    from pointkd.report.results.locks import only_one

    datasets = [data for data in suite.datasets if not choice.datasets or data.name in choice.datasets]
    with only_one(places):
        if args.calibrate:
            from pointkd.report.results.calibrate import calibrate

            for dataset in datasets:
                found = calibrate(suite, places, dataset, choice.data, _say, choice.arms)
                for name, times in found.items():
                    _say(f'{dataset.name:<12} {name:<32} {times["ms"]:8.1f} ms a step {times["peak_mb"]:6.0f} MB')
        elif args.latency:
            from pointkd.report.results.latency import measure_latency

            for dataset in datasets:
                for name, times in measure_latency(suite, places, dataset, _say).items():
                    _say(f'{dataset.name:<12} {name:<32} {times["ms"]:8.2f} ms an input')
        elif args.pictures:
            from pointkd.report.results.pictures import write_pictures

            for dataset in datasets:
                report = write_pictures(suite, places, dataset, args.pictures, choice.data, _say)
                _say(f'report: {report}')
        elif args.tune:
            from pointkd.report.results.tune import tune

            arm = suite.arm(args.tune)
            for dataset in datasets:
                if arm in suite.arms_of(dataset):
                    tune(suite, places, arm, dataset, choice.data, _say)
        elif args.make_teacher:
            from pointkd.report.results.teachers import make_teacher

            make_teacher(suite, places, args.make_teacher, choice.data, _say)
        else:
            return execute(suite, places, choice, _say)
    return 0


def _list(suite: Suite, places: Places, choice: Choice) -> None:
    """Print how every run stands."""
    from pointkd.report.results.execute import spoken
    from pointkd.report.results.plan import DONE, State, expected_seconds, plan, seconds_left

    state = State.read(places)
    runs = choice.of(plan(suite, places, state, choice.seeds))
    for run in runs:
        seconds = None if run.state == DONE else expected_seconds(run, state)
        note = run.reason or ('' if seconds is None else f'about {spoken(seconds)}')
        print(f'{run.state:<8} {run.group:<10} {run.dataset:<12} {run.row:<32} seed {run.seed}  {note}'.rstrip())
    total, unknown = seconds_left(runs, state)
    done = sum(run.state == DONE for run in runs)
    rest = f', and {unknown} of unknown length (--calibrate tells)' if unknown else ''
    print(f'{done} of {len(runs)} runs are done; what is left takes about {spoken(total)}{rest}')


def _check(suite: Suite, places: Places) -> int:
    """Print what does not match."""
    from pointkd.report.results.check import mismatches

    found = mismatches(suite, places)
    for line in found:
        print(line)
    if not found:
        print(f'{suite.name}: {len(places.records())} runs, tables and suite file match')
    return 1 if found else 0


def _write(suite: Suite, places: Places) -> None:
    """Write tables and plots."""
    from pointkd.report.results.pages import write_pages
    from pointkd.report.results.plan import State

    write_pages(suite, places, State.read(places))
    print(f'tables: {places.tables} and {places.page}')


def _say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)
