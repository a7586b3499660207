"""Measures the latency of every row's network in ONNX Runtime, in turns, with nothing else running."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from mmengine.config import Config

from pointkd.compress.graphs import graph_of
from pointkd.compress.latency import OnnxNetwork, measure_in_turns
from pointkd.core.errors import PointKDError
from pointkd.export.latency import BUSY
from pointkd.io.build import build_model
from pointkd.io.config import load_config
from pointkd.io.images import input_size
from pointkd.report.results.jobs import ANYWHERE, Job, arm_job, teacher_job
from pointkd.report.results.parts import Dataset
from pointkd.report.results.places import Places
from pointkd.report.results.plan import State
from pointkd.report.results.records import write_compact
from pointkd.report.results.runs import network_config, provenance
from pointkd.report.results.stages import PLAN, PRUNED
from pointkd.report.results.suite import Suite

RUNS = 50  # of every network


def measure_latency(
    suite: Suite, places: Places, dataset: Dataset, say: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """Time the network of every row of a data set and write latency.json.

    Only the network is timed, as `pointkd prune` does it: from the prepared input (images; one point a cell of the
    canvas) to raw maps, one input, one thread. Weights are random: they change no time. Rows with equal networks share
    a measurement. A pruned row needs its run of seed 0, whose plan is read.

    Args:
        suite: the suite.
        places: its files.
        dataset: the data set.
        say: prints a line, also on rows that are left out.

    Returns:
        Milliseconds by row: `ms` (median), `p90_ms`.
    """
    import pointkd.engine  # noqa: F401  (prepares the packages)

    load = os.getloadavg()[0]
    if load > BUSY:
        say(f'warning: the machine is busy (load average {load:.2f}): times will be long')
    rows: dict[str, str] = {}  # row -> its network
    networks: dict[str, OnnxNetwork] = {}
    for job in _jobs(suite, dataset):
        folder = places.run(dataset.name, job.row, job.seed)
        if job.start is not None and job.start.prune and not (folder / PRUNED / PLAN).is_file():
            say(f'{dataset.name} {job.row}: left out, its run of seed {job.seed} is not in {folder}')
            continue
        try:
            config = load_config(network_config(job, folder, places.home, Path(ANYWHERE)), pretrained=False)
            text = json.dumps(config['model'], sort_keys=True, default=repr)
            if text not in networks:
                networks[text] = onnx_network(config)
        except PointKDError as error:
            say(f'{dataset.name} {job.row}: left out, {error}')
            continue
        rows[job.row] = text
    times = dict(zip(networks, measure_in_turns(list(networks.values()), RUNS), strict=True))
    found = {
        row: {'ms': round(times[text].median_ms, 2), 'p90_ms': round(times[text].p90_ms, 2)}
        for row, text in rows.items()
    }
    content = State.read(places).latency
    content.setdefault('datasets', {})[dataset.name] = found
    content.setdefault('measured', {})[dataset.name] = {
        **provenance(places.home),
        'threads': 1,
        'runs': RUNS,
        'load_average': round(load, 2),
    }
    write_compact(places.latency, content)
    return found


def onnx_network(config: Config) -> OnnxNetwork:
    """Return a config's network in ONNX Runtime, on one thread.

    Raises:
        ConfigError: no way is known to run it on tensors alone (sparse convolutions).
    """
    network = build_model(config).eval()
    return OnnxNetwork(network, graph_of(network), input_size(config), threads=1)


def _jobs(suite: Suite, dataset: Dataset) -> Iterator[Job]:
    """Yield the job of the teacher, and of each row with its first seed."""
    if dataset.teacher is not None:
        yield teacher_job(suite, dataset, dataset.teacher)
    yield from (arm_job(suite, dataset, arm, 0) for arm in suite.arms_of(dataset))
