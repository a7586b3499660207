"""How long an exported net takes, stage by stage, in PyTorch and in the runtimes, measured in turns."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pointkd.core.errors import CheckpointError, ConfigError, PointKDError, StackError
from pointkd.core.files import sha256
from pointkd.export.clouds import made_up_clouds, read_clouds
from pointkd.export.images import made_up_images, read_images
from pointkd.runtime.detector import Detector
from pointkd.runtime.segmentation import SegmentationSideCar, is_segmentation, read_segmentation
from pointkd.runtime.segmenter import Segmenter
from pointkd.runtime.sidecar import SideCar, read_side_car

STAGES = ('voxelize', 'network', 'decode')
RUNTIMES = (('onnxruntime', 'f32'), ('openvino', 'f32'), ('openvino', 'bf16'))
EAGER = 'pytorch f32'
BUSY = 0.5  # load average before the start above which other work disturbs the times
WARM_UP = 3
CLOUDS = 5  # or images, timed one after the other
IMAGE = (1024, 512)  # width and height of made-up images where an export resizes none


class Stages(Protocol):
    """A detector whose stages can be called one by one."""

    def voxelize(self, points: np.ndarray) -> Any:
        """Points to pillars."""

    def network(self, batch: Any) -> Any:
        """Pillars to head maps."""

    def decode(self, maps: Any, batch: Any) -> Any:
        """Head maps to boxes."""


class ImageStages:
    """A segmentation net under the names of a detector's stages; `voxelize` prepares the image."""

    def __init__(self, net: Any) -> None:
        self.net = net

    def voxelize(self, image: np.ndarray) -> Any:
        """Image to input."""
        return self.net.prepare(image)

    def network(self, batch: Any) -> Any:
        """Input to labels or class scores."""
        return self.net.network(batch)

    def decode(self, output: Any, batch: Any) -> Any:
        """Labels or class scores to a mask."""
        return self.net.decode(output, batch)


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
        points: folder with clouds, or with images for segmentation nets; by default made-up ones.
        runs: timed runs of each.
        threads: each may use; by default the cores of this process.
        checkpoint: weights for PyTorch; by default the file that each export was made from.

    Returns:
        `machine`, `clouds` or `images`, `runs`, and for each of `exports` its `params`, `timings` by runtime and stage
        ('voxelize', 'network', 'decode', 'total': median and 90th percentile in milliseconds) and what was `left_out`.

    Raises:
        ExportError: an export is missing or damaged.
        ConfigError: exports of detectors and of segmentation nets at once.
        DataError: there are no clouds or images.
    """
    threads = threads or len(os.sched_getaffinity(0))
    surroundings = machine(threads)
    side_cars = [read_any(folder) for folder in export_dirs]
    inputs, described = _inputs(side_cars, points)
    detectors: dict[tuple[str, str], Stages] = {}
    left_out = []
    for folder in export_dirs:
        opened, reasons = open_detectors(folder, checkpoint=checkpoint, threads=threads)
        detectors |= {(str(folder), name): detector for name, detector in opened.items()}
        left_out.append(reasons)
    timings = measure(detectors, inputs, runs)
    return {
        'machine': surroundings,
        **described,
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


def read_any(export_dir: str | Path) -> SideCar | SegmentationSideCar:
    """Read the side-car of an export of either kind."""
    return read_segmentation(export_dir) if is_segmentation(export_dir) else read_side_car(export_dir)


def _inputs(
    side_cars: Sequence[SideCar | SegmentationSideCar], folder: str | Path | None
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Return the clouds or images to time with, and what the results say of them."""
    first = side_cars[0]
    if len({type(side_car) for side_car in side_cars}) > 1:
        raise ConfigError('detectors and segmentation nets can not be timed together: they take other inputs')
    if isinstance(first, SegmentationSideCar):
        width, height = first.image.resize or IMAGE
        images = read_images(folder, CLOUDS) if folder else made_up_images(CLOUDS, (height, width))
        return images, {'images': {'count': len(images), 'size': list(images[0].shape[:2])}}
    voxels = first.voxels
    clouds = read_clouds(folder, voxels.columns, CLOUDS) if folder else made_up_clouds(voxels, CLOUDS)
    median = int(np.median([len(cloud) for cloud in clouds]))
    return clouds, {'clouds': {'count': len(clouds), 'points_median': median}}


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
    side_car = read_any(export_dir)
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
    model = build_model(config, weights)
    if isinstance(side_car, SegmentationSideCar):
        from pointkd.export.segmentation_eager import EagerSegmenter

        return ImageStages(EagerSegmenter(model, config))
    return EagerDetector(model, config)


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
    if is_segmentation(export_dir):
        return lambda: ImageStages(Segmenter(export_dir, backend, precision, threads=threads))
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
