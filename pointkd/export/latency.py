"""How long an exported detector takes, stage by stage, in PyTorch and in the runtimes, measured in turns."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pointkd.core.errors import CheckpointError, PointKDError, StackError
from pointkd.core.files import sha256
from pointkd.export.clouds import made_up_clouds, read_clouds
from pointkd.runtime.detector import Detector
from pointkd.runtime.sidecar import read_side_car

STAGES = ('voxelize', 'network', 'decode')
RUNTIMES = (('onnxruntime', 'f32'), ('openvino', 'f32'), ('openvino', 'bf16'))
EAGER = 'pytorch f32'
BUSY = 0.5  # load average before the start above which other work disturbs the times
WARM_UP = 3
CLOUDS = 5  # timed one after the other


class Stages(Protocol):
    """A detector whose stages can be called one by one."""

    def voxelize(self, points: np.ndarray) -> Any:
        """Points to pillars."""

    def network(self, batch: Any) -> Any:
        """Pillars to head maps."""

    def decode(self, maps: Any, batch: Any) -> Any:
        """Head maps to boxes."""


@dataclass
class Timing:
    """Seconds of one detector.

    Attributes:
        export: its folder.
        name: runtime and precision.
        seconds: of every run, by stage and 'total'.
    """

    export: str
    name: str
    seconds: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in (*STAGES, 'total')})

    def summary(self) -> dict[str, dict[str, float]]:
        """Return median and 90th percentile in milliseconds, by stage."""
        return {
            stage: {
                'median_ms': round(float(np.median(values)) * 1e3, 3),
                'p90_ms': round(float(np.percentile(values, 90)) * 1e3, 3),
            }
            for stage, values in self.seconds.items()
        }


def benchmark(
    export_dirs: Sequence[str | Path],
    *,
    points: str | Path | None = None,
    runs: int = 30,
    threads: int | None = None,
    checkpoint: str | Path | None = None,
) -> dict[str, Any]:
    """Time exports in every runtime that is here, all in turns.

    Args:
        export_dirs: folders that `pointkd export` wrote.
        points: folder with clouds; by default made-up ones.
        runs: timed runs of each.
        threads: each may use; by default the cores of this process.
        checkpoint: weights for PyTorch; by default the file that each export was made from.

    Returns:
        `machine`, `clouds`, `runs`, and for each of `exports` its `params`, `timings` by runtime and stage
        ('voxelize', 'network', 'decode', 'total': median and 90th percentile in milliseconds) and what was `left_out`.

    Raises:
        ExportError: an export is missing or damaged.
        DataError: there are no clouds.
    """
    threads = threads or len(os.sched_getaffinity(0))
    surroundings = machine(threads)
    side_cars = [read_side_car(folder) for folder in export_dirs]
    voxels = side_cars[0].voxels
    clouds = read_clouds(points, voxels.columns, CLOUDS) if points else made_up_clouds(voxels, CLOUDS)
    detectors: dict[tuple[str, str], Stages] = {}
    left_out = []
    for folder in export_dirs:
        opened, reasons = open_detectors(folder, checkpoint=checkpoint, threads=threads)
        detectors |= {(str(folder), name): detector for name, detector in opened.items()}
        left_out.append(reasons)
    timings = measure(detectors, clouds, runs)
    return {
        'machine': surroundings,
        'clouds': {'count': len(clouds), 'points_median': int(np.median([len(cloud) for cloud in clouds]))},
        'runs': runs,
        'exports': [
            {
                'export': str(folder),
                'params': side_car.parameters,
                'timings': {timing.name: timing.summary() for timing in timings if timing.export == str(folder)},
                'left_out': reasons,
            }
            for folder, side_car, reasons in zip(export_dirs, side_cars, left_out, strict=True)
        ],
    }


def open_detectors(
    export_dir: str | Path, *, checkpoint: str | Path | None = None, threads: int
) -> tuple[dict[str, Stages], dict[str, str]]:
    """Load an export in every runtime that is here.

    Args:
        export_dir: folder that `pointkd export` wrote.
        checkpoint: weights for PyTorch; by default the file that the export was made from.
        threads: each may use.

    Returns:
        Detectors by name, and the reason for each that is left out.
    """
    openers: dict[str, Callable[[], Stages]] = {EAGER: lambda: open_eager(export_dir, checkpoint, threads)}
    for backend, precision in RUNTIMES:
        openers[f'{backend} {precision}'] = _opener(export_dir, backend, precision, threads)
    detectors: dict[str, Stages] = {}
    left_out: dict[str, str] = {}
    for name, opener in openers.items():
        try:
            detectors[name] = opener()
        except PointKDError as error:
            left_out[name] = str(error)
    return detectors, left_out


def measure(detectors: dict[tuple[str, str], Stages], clouds: Sequence[np.ndarray], runs: int) -> list[Timing]:
    """Time detectors in turns: in every run each takes one cloud, the next in line begins.

    So that a disturbance, or a processor that slows down, hits all of them alike.

    Args:
        detectors: by export and name.
        clouds: each (N, C).
        runs: timed runs of each detector, after a few to warm up.

    Returns:
        The seconds of each.
    """
    timings = [Timing(*key) for key in detectors]
    pairs = list(zip(timings, detectors.values(), strict=True))
    for run in range(-WARM_UP, runs):
        first = run % len(pairs)
        for timing, detector in pairs[first:] + pairs[:first]:
            marks = _time_once(detector, clouds[run % len(clouds)])
            if run >= 0:
                for stage, start, end in zip(STAGES, marks, marks[1:], strict=False):
                    timing.seconds[stage].append(end - start)
                timing.seconds['total'].append(marks[-1] - marks[0])
    return timings


def open_eager(export_dir: str | Path, checkpoint: str | Path | None, threads: int) -> Stages:
    """Build the detector of an export in PyTorch, from the config in its side-car.

    Raises:
        StackError: there is no training stack here.
        CheckpointError: the weights are missing, or are others than the export's.
    """
    if importlib.util.find_spec('torch') is None or importlib.util.find_spec('mmdet3d') is None:
        raise StackError("PyTorch and mmdet3d are not installed: `pip install 'pointkd[train]'`")
    side_car = read_side_car(export_dir)
    weights = Path(checkpoint or side_car.checkpoint.file)
    if not weights.is_file():
        raise CheckpointError(f'{weights}: the checkpoint of this export is not there; give it with --checkpoint')
    if sha256(weights) != side_car.checkpoint.sha256:
        raise CheckpointError(f'{weights}: is not the checkpoint that this export was made from')
    import torch
    from mmengine.config import Config

    from pointkd.export.eager import EagerDetector
    from pointkd.io.build import build_model

    torch.set_num_threads(threads)
    config = Config.fromstring(side_car.config, file_format='.py')
    return EagerDetector(build_model(config, weights), config)


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else 'unknown'


def machine(threads: int) -> dict[str, Any]:
    """Return what a time can not be read without."""
    return {
        'processor': processor(),
        'cores': len(os.sched_getaffinity(0)),
        'threads': threads,
        'load_average': round(os.getloadavg()[0], 2),
    }


def _opener(export_dir: str | Path, backend: str, precision: str, threads: int) -> Callable[[], Stages]:
    """Return a function that loads an export in one runtime."""
    return lambda: Detector(export_dir, backend, precision, threads=threads)


def _time_once(detector: Stages, points: np.ndarray) -> list[float]:
    """Run a detector once; return the clock before, between and after its stages."""
    marks = [time.perf_counter()]
    batch = detector.voxelize(points)
    marks.append(time.perf_counter())
    maps = detector.network(batch)
    marks.append(time.perf_counter())
    detector.decode(maps, batch)
    marks.append(time.perf_counter())
    return marks
