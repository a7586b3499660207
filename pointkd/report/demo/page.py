"""The demo's report as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pointkd.report.demo.settings import NETS, TITLES, DemoSettings
from pointkd.report.page import Cell, Page

CLASSES = ('Car', 'Pedestrian', 'Cyclist', 'mAP')
MODERATE = 1


def write_report(
    settings: DemoSettings, report: Mapping[str, Any], pictures: Mapping[str, list[Path]], machine: Mapping[str, Any]
) -> None:
    """Write report.html.

    Args:
        settings: of the run.
        report: what results.json holds.
        pictures: PNG files by kind.
        machine: description of the processor, as `pointkd benchmark` gives it.
    """
    page = Page('pointkd demo', lead(report))
    page.heading('Accuracy')
    page.paragraph(
        'Official KITTI AP at 40 recall positions, moderate, in percent, on the evaluation quarter of '
        f'{settings.scenes} synthetic scenes. Overlaps: 0.7 for cars, 0.5 for pedestrians and cyclists.'
    )
    for metric, title in (('3d', '3D'), ('bev', "Bird's-eye view")):
        rows = [[TITLES[name], *ap_cells(report[name]['ap'], metric)] for name in NETS]
        page.table([title, *CLASSES], rows)
    page.paragraph(
        'One run each, one seed: differences of a few points are within the noise of such a small experiment. '
        'The command pointkd results makes the tables with seeds and intervals.'
    )
    page.heading('Size and speed')
    page.table(
        ['net', 'parameters', 'multiply-adds'], [[TITLES[n], report[n]['params'], report[n]['macs']] for n in NETS]
    )
    page.table(['median milliseconds a cloud', *runtimes(report)], latency_rows(report))
    page.paragraph(f'Measured in turns, batch 1, end to end (voxelise, network, decode) on: {describe(machine)}.')
    page.table(['distilled student by stage', *runtimes(report)], stage_rows(report))
    page.heading('Export')
    parity = report['parity']
    page.paragraph(
        f'ONNX Runtime against PyTorch on {parity["clouds"]} clouds: boxes differ by at most '
        f'{parity["max_box_m"]:.1e} m, scores by at most {parity["max_score"]:.1e}. Files: {settings.export}.'
    )
    page.heading('Training')
    for path in pictures['curves']:
        page.picture(path, 'Detection loss of the two students, distillation terms left out')
    page.heading('Scenes')
    for path in pictures['scenes']:
        page.picture(path, 'From above: ground truth, and detections with a score of at least 0.3')
    page.heading('Again, and with your data')
    page.code(commands(settings))
    page.write(settings.folder / 'report.html')


def lead(report: Mapping[str, Any]) -> str:
    """Return the result in two sentences, as it is."""
    maps = {name: report[name]['ap']['mAP']['3d']['AP40'][MODERATE] for name in NETS}
    share = report['distilled']['params'] / report['teacher']['params']
    gain = maps['distilled'] - maps['student']
    return (
        f"A student with {share:.0%} of the teacher's weights: 3D mAP {maps['student']:.1f} alone, "
        f'{maps["distilled"]:.1f} distilled ({gain:+.1f}), teacher {maps["teacher"]:.1f}. '
        f'Everything on this page was made in {report["seconds"] / 60:.0f} minutes on this machine.'
    )


def ap_cells(ap: Mapping[str, Any], metric: str) -> list[Cell]:
    """Return the moderate AP40 of each class and their mean."""
    return [ap[name][metric]['AP40'][MODERATE] for name in CLASSES]


def runtimes(report: Mapping[str, Any]) -> list[str]:
    """Return the names of the runtimes that were timed."""
    return list(report['distilled']['latency'])


def latency_rows(report: Mapping[str, Any]) -> list[list[Cell]]:
    """Return a row a net: end-to-end medians by runtime."""
    names = runtimes(report)
    return [[TITLES[n], *(report[n]['latency'][name]['total']['median_ms'] for name in names)] for n in NETS]


def stage_rows(report: Mapping[str, Any]) -> list[list[Cell]]:
    """Return a row a stage of the distilled student: median and 90th percentile."""
    timings = report['distilled']['latency']
    stages = next(iter(timings.values()))
    return [
        [stage, *(f'{t[stage]["median_ms"]:.1f} (p90 {t[stage]["p90_ms"]:.1f})' for t in timings.values())]
        for stage in stages
    ]


def describe(machine: Mapping[str, Any]) -> str:
    """Return a machine in words."""
    return ', '.join(f'{key} {value}' for key, value in machine.items())


def commands(settings: DemoSettings) -> str:
    """Return the commands behind this page."""
    data, folder = settings.data, settings.folder
    return '\n'.join(
        [
            f'pointkd train configs/demo/distilled.py --data-root {data} --work-dir {folder}/distilled --amp',
            f'pointkd test {folder}/distilled/config.py {folder}/distilled/last.pth --out {folder}/distilled/results',
            f'pointkd evaluate kitti --labels {data}/training/label_2 '
            f'--results {folder}/distilled/results/pred_instances_3d --frames {data}/ImageSets/val.txt --out ap.json',
            f'pointkd export {folder}/distilled/config.py {folder}/distilled/last.pth --to onnx --out {folder}/export',
            f'pointkd benchmark {folder}/export',
            '',
            '# real KITTI',
            'pointkd check-data kitti DATA && pointkd create-data kitti --root DATA',
            'pointkd train configs/pointpillars/pointpillars_kitti-3class.py --data-root DATA',
            'pointkd train configs/pointpillars/pointpillars-4x_local-graph_kitti-3class.py --data-root DATA',
        ]
    )
