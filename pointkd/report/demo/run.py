"""Runs the demo from data to report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pointkd.core.files import write_json
from pointkd.report.curves import draw_curves
from pointkd.report.demo.page import write_report
from pointkd.report.demo.pictures import draw_scene, richest_scenes
from pointkd.report.demo.progress import Timeline, minutes
from pointkd.report.demo.settings import NETS, TITLES, DemoSettings
from pointkd.report.demo.steps import (
    detect,
    evaluation_frames,
    loss_curve,
    make_data,
    prepare_teacher,
    score,
    train,
)

# Seconds of each step on two cores with AVX512-BF16; only their proportions matter, for the time left.
NOMINAL: dict[str, float] = {
    'data': 60,
    'teacher': 3,
    'student': 150,
    'distilled': 170,
    'evaluate': 60,
    'export': 40,
    'latency': 25,
    'report': 10,
}
TEACHER_STEP = 0.2  # seconds, with train_teacher
LATENCY_RUNS = 20
DEPLOYED = 'onnxruntime f32'  # the runtime behind `latency_ms`
SCENES_SHOWN = 3


def run_demo(settings: DemoSettings, say: Callable[[str], None]) -> dict[str, Any]:
    """Make data, train, evaluate, export and write report.html and results.json.

    Args:
        settings: what and where.
        say: prints a line of progress.

    Returns:
        What results.json holds.

    Raises:
        PointKDError: from the step that failed; what earlier steps made stays.
    """
    nominal = dict(NOMINAL)
    if settings.train_teacher:
        nominal['teacher'] = settings.teacher_iterations * TEACHER_STEP
    timeline = Timeline(nominal, say)
    for path in settings.fresh_files():
        path.unlink(missing_ok=True)
    with timeline.step('data', f'{settings.scenes} street scenes in KITTI format'):
        make_data(settings)
    with timeline.step('teacher', 'the teacher' + (': training' if settings.train_teacher else ' that is shipped')):
        prepare_teacher(settings)
    for name in ('student', 'distilled'):
        with timeline.step(name, f'{TITLES[name]}: {settings.iterations} iterations'):
            train(settings, name, settings.iterations)
    with timeline.step('evaluate', 'official KITTI AP of the three nets'):
        results = {name: detect(settings, name) for name in NETS}
        report: dict[str, Any] = {name: {'ap': score(settings, results[name])} for name in NETS}
    with timeline.step('export', 'ONNX, with proof that it gives the same boxes'):
        report['parity'] = export_nets(settings)
        for name in NETS:
            report[name].update(size_of(settings.net(name)))
    with timeline.step('latency', 'latency in PyTorch, ONNX Runtime and OpenVINO, in turns'):
        timings = time_exports(settings)
        for name in NETS:
            report[name]['latency_ms'] = timings['nets'][name][DEPLOYED]['total']['median_ms']
            report[name]['latency'] = timings['nets'][name]
    with timeline.step('report', 'pictures and report'):
        pictures = draw_pictures(settings, results)
        report['seconds'] = round(timeline.elapsed, 1)
        write_json(settings.folder / 'results.json', report)
        write_report(settings, report, pictures, timings['machine'])
    say(f'done in {minutes(timeline.elapsed)}: {settings.folder / "report.html"}')
    return report


def export_folder(settings: DemoSettings, name: str) -> Path:
    """Return where a net's export goes: the distilled student's is the one to deploy, the others lie below it."""
    return settings.export if name == 'distilled' else settings.export / name


def export_nets(settings: DemoSettings) -> dict[str, Any]:
    """Export the nets; return the distilled student's parity on the evaluation scenes' clouds."""
    from pointkd.export.exporter import export

    clouds = settings.data / 'training' / 'velodyne'
    parities = {}
    for name in NETS:
        folder = settings.net(name)
        parities[name] = export(
            folder / 'config.py', folder / 'last.pth', export_folder(settings, name), verify_data=clouds
        )
    return parity_numbers(parities['distilled'])


def parity_numbers(parity: Any) -> dict[str, Any]:
    """Return the number of clouds and the largest differences of boxes (metres) and scores."""
    content = parity.to_json()
    return {key: content[key] for key in ('clouds', 'max_box_m', 'max_score')}


def size_of(folder: Path) -> dict[str, int]:
    """Return parameters and multiply-adds of a net."""
    from pointkd.engine.complexity import measure_complexity
    from pointkd.io.config import load_config

    complexity = measure_complexity(load_config(folder / 'config.py', pretrained=False))
    return {'params': complexity.params, 'macs': complexity.macs()}


def time_exports(settings: DemoSettings) -> dict[str, Any]:
    """Time the three exports in every runtime; return milliseconds by net, runtime and stage, and the machine."""
    from pointkd.export.latency import benchmark

    folders = [export_folder(settings, name) for name in NETS]
    measured = benchmark(folders, points=settings.data / 'training' / 'velodyne', runs=LATENCY_RUNS)
    nets = {name: entry['timings'] for name, entry in zip(NETS, measured['exports'], strict=True)}
    return {'nets': nets, 'machine': measured['machine']}


def draw_pictures(settings: DemoSettings, results: dict[str, Path]) -> dict[str, list[Path]]:
    """Draw the scenes and the loss curves; return their files by kind."""
    folder = settings.folder / 'pictures'
    folder.mkdir(parents=True, exist_ok=True)
    extent = ground_of(settings)
    data = settings.data / 'training'
    by_title = {TITLES[name]: path for name, path in results.items()}
    scenes = []
    for frame in richest_scenes(data, evaluation_frames(settings), extent, SCENES_SHOWN):
        scenes.append(folder / f'scene_{frame}.png')
        draw_scene(scenes[-1], data, frame, by_title, extent)
    curves = {TITLES[name]: loss_curve(settings.net(name)) for name in ('student', 'distilled')}
    draw_curves(folder / 'curves.png', curves, x_label='iteration', y_label='detection loss', smooth=3)
    return {'scenes': scenes, 'curves': [folder / 'curves.png']}


def ground_of(settings: DemoSettings) -> tuple[float, float, float, float]:
    """Return the rectangle that the nets look at: x minimum, y minimum, x maximum, y maximum in metres."""
    from pointkd.io.config import load_config

    config = load_config(settings.net('student') / 'config.py', pretrained=False)
    x0, y0, _, x1, y1, _ = config.model.data_preprocessor.voxel_layer.point_cloud_range
    return float(x0), float(y0), float(x1), float(y1)
