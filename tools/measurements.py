"""Writes the section "Measurements" of docs/results.md from the JSONs in docs/results/measurements.

    python tools/measurements.py            # write
    python tools/measurements.py --check    # exit code 1 where page and JSONs differ

Each measurement names the command that makes its JSON; a measurement without a JSON is left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pointkd.core.files import write_text
from pointkd.report.results.tables import markdown

DOCS = Path(__file__).resolve().parents[1] / 'docs'
FOLDER = DOCS / 'results' / 'measurements'
BEGIN, END = '<!-- measurements:begin -->', '<!-- measurements:end -->'
RATIOS = ('over_whole_teacher', 'overhead')
CLASSES = ('Car', 'Pedestrian', 'Cyclist', 'mAP')


def moderate(ap: dict[str, Any], metric: str) -> list[str]:
    """Return AP at 40 recall positions, moderate, of each class and their mean; null counts as 0 there."""
    values = [ap[name][metric]['AP40'][1] for name in CLASSES]
    return ['-' if value is None else f'{value:.1f}' for value in values]


def demo(content: dict[str, Any]) -> str:
    """What `make demo` has given."""
    nets = {'teacher': 'teacher', 'student': 'student alone', 'distilled': 'distilled student'}
    rows = []
    for key, title in nets.items():
        net = content[key]
        cost = [f'{net["params"]:,}', f'{net["macs"] / 1e6:,.0f} M']
        rows.append([title, *cost, *moderate(net['ap'], '3d'), moderate(net['ap'], 'bev')[-1]])
    parity = content['parity']
    header = ['', 'parameters', 'multiply-adds', *(f'3D {name}' for name in CLASSES), 'BEV mAP']
    exact = f'boxes within {parity["max_box_m"]:.1e} m, scores within {parity["max_score"]:.1e}'
    return (
        f'{markdown(header, rows)}\n\nOne seed: an example, no evidence. The export of the distilled student gives '
        f'what PyTorch gives on {parity["clouds"]} clouds: {exact}. All of it took '
        f'{content["seconds"] / 60:.1f} minutes.'
    )


def kitti_mini(content: dict[str, Any]) -> str:
    """Learning a few real frames by heart."""
    rows = []
    for part, title in (('train', 'frames it was trained on'), ('val', 'other frames')):
        for key, whose in (('ap', 'detector'), ('perfect', 'the labels themselves')):
            ap = content[part][key]
            rows.append([f'{title}: {whose}', str(content[part]['frames']), *moderate(ap, '3d'), *moderate(ap, 'bev')])
    header = ['', 'frames', *(f'{metric} {name}' for metric in ('3D', 'BEV') for name in CLASSES)]
    return (
        f'{markdown(header, rows)}\n\n`{content["config"]}`, one seed. Few objects reach fewer than 40 recall '
        'positions, so that even the labels stay below 100: theirs is what can be reached.'
    )


def kitti_eval(content: dict[str, Any]) -> str:
    """Whole processes of the evaluator and its peers."""
    ours = statistics.median(content['contenders']['pointkd']['wall_s'])
    titles = {
        'pointkd': 'pointkd',
        'plain': 'plain Python',
        'mmdet3d': "mmdet3d's functions (overlaps on the CPU, numba compiles in each process)",
    }
    rows = []
    for name, entry in content['contenders'].items():
        wall = statistics.median(entry['wall_s'])
        difference = '' if name == 'pointkd' else f'{entry["largest_difference"]:.1g}'
        rows.append([titles[name], f'{wall:.2f}', f'{wall / ours:.1f}', difference])
    header = [f'{content["frames"]} frames', 'wall, s', 'times ours', 'largest difference, AP']
    return markdown(header, rows)


def visdrone_eval(content: dict[str, Any]) -> str:
    """Whole processes of the evaluator and of a literal loop over the rules."""
    rows = [
        [title, *(f'{statistics.median(content["contenders"][name][kind]):.2f}' for kind in ('wall_s', 'processor_s'))]
        for name, title in (('pointkd', 'pointkd'), ('loop', 'a literal loop'))
    ]
    ratios = (f'{content["ratios"][kind]:.0f}' for kind in ('wall_s', 'processor_s'))
    rows.append(['times as fast', *ratios])
    header = [f'{content["images"]} images, {content["detections"]:,} detections', 'wall, s', 'processor, s']
    difference = content['contenders']['loop']['largest_difference']
    return f'{markdown(header, rows)}\n\nLargest difference {difference:.1g} points.'


def cityscapes_eval(content: dict[str, Any]) -> str:
    """The Cityscapes evaluation beside the official script's plain Python path."""
    titles = {
        'pointkd': 'pointkd, with boundary metrics',
        'pointkd_official': 'pointkd, the official numbers',
        'pointkd_one_thread': 'the same, one thread',
        'official': 'cityscapesScripts, plain Python path',
    }
    keys = ('evaluation_s', 'processor_s')
    medians = {name: [statistics.median(entry[key]) for key in keys] for name, entry in content['contenders'].items()}
    rows = []
    for name, values in medians.items():
        faster = [f'{theirs / own:.1f}' for own, theirs in zip(values, medians.get('official', values), strict=True)]
        cells = [cell for value, ratio in zip(values, faster, strict=True) for cell in (f'{value:.2f}', ratio)]
        difference = f'{content["contenders"][name]["largest_difference"]:.1g}' if name == 'official' else ''
        rows.append([titles[name], *cells, difference])
    ratio = 'times as fast as the official'
    header = [f'{content["images"]} images', 'wall, s', ratio, 'processor, s', ratio, 'largest difference, points']
    return f'{markdown(header, rows)}\n\n{content["cores"]} cores; from the list of files to the scores.'


def knn(content: dict[str, Any]) -> str:
    """Time and memory of nearest neighbours."""
    rows = [
        [name, f'{statistics.median(entry["seconds"]):.1f}', f'{max(entry["megabytes"]):,.0f}']
        for name, entry in content['contenders'].items()
    ]
    size = f'{content["centres"]} centres, {content["elements"]} elements of width {content["width"]}'
    header = [f'{content["neighbors"]} neighbours', 's', 'MB']
    return f'{markdown(header, rows)}\n\n{size}, {content["threads"]} thread(s).'


def ops(content: dict[str, Any]) -> str:
    """Loops against their readable references."""
    rows = [
        [name, f'{entry["loop_ms"]:.1f}', f'{entry["reference_ms"]:.1f}', f'{entry["ratio"]:.1f}']
        for name, entry in content['ops'].items()
    ]
    settings = content['settings']
    size = f'{settings["points"]} points, {settings["boxes"]} boxes, {settings["threads"]} thread(s).'
    return f'{markdown(["op", "ours, ms", "torch reference, ms", "ratio"], rows)}\n\n{size}'


def pillar_encoder(content: dict[str, Any]) -> str:
    """The encoder on real points against the stock one."""
    rows = [
        [
            title,
            *(f'{content[f"{call}_{net}_ms"]["median"]:.1f}' for net in ('stock', 'real_points')),
            str(content[f'{call}_ratio']),
        ]
        for call, title in (('infer', 'inference'), ('train_step', 'training step'))
    ]
    size = f'{content["pillars"]} pillars of {content["room"]} places, {content["points"]} points'
    header = ['', 'stock, ms', 'real points, ms', 'ratio']
    return f'{markdown(header, rows)}\n\n{size}, {content["threads"]} thread(s).'


def overhead(content: dict[str, Any]) -> str:
    """What distillation costs."""
    rows = [
        [
            name,
            f'{arm["step_ms"]["median"]:.0f}',
            *(f'{arm[key]["median"]:.2f} ({arm[key]["q25"]:.2f} to {arm[key]["q75"]:.2f})' for key in RATIOS),
        ]
        for name, arm in content['arms'].items()
    ]
    header = ['methods', 'step, ms', 'over student + whole teacher', 'over student + teacher to the last tap']
    student, teacher = content['student_ms']['median'], content['teacher_ms']['median']
    return f"{markdown(header, rows)}\n\nStudent's step {student:.0f} ms, teacher's whole forward {teacher:.0f} ms."


def pruned_yolo(content: dict[str, Any]) -> str:
    """What half of YOLOv8m costs, and a latency that was asked for."""
    titles = {'half': 'half of every layer', 'latency_target': 'to a latency'}
    rows = []
    for name, title in titles.items():
        entry = content[name]
        costs = [
            f'{entry[key][1] / scale:.2f} of {entry[key][0] / scale:.2f} ({entry[key][1] / entry[key][0] - 1:+.1%})'
            for key, scale in (('params', 1e6), ('macs', 1e9))
        ]
        dense, pruned = (entry['latency'][net]['median_ms'] for net in ('dense', 'pruned'))
        wanted = f'{entry["target_ms"]:.0f}' if 'target_ms' in entry else '-'
        rows.append([title, *costs, wanted, f'{dense:.0f}', f'{pruned:.0f}', f'{pruned / dense:.2f}'])
    header = ['cut', 'parameters, M', 'multiply-adds, G', 'wanted, ms', 'dense, ms', 'pruned, ms', 'ratio']
    measuring = content['measuring']
    return (
        f'{markdown(header, rows)}\n\n{measuring["size"][0]} x {measuring["size"][1]}, {measuring["threads"]} thread, '
        f'median of {measuring["runs"]} runs in turns; {content["processor"]}, load average '
        f'{content["load_average"]} before.'
    )


STUDIED = {
    'pillars': 'pillars, by log-counts (clean)',
    'pillars-published': 'pillars, published',
    'pillars-confidence': "pillars, by the teacher's confidence",
    'map': "neck's map, by the largest channel",
    'map-confidence': "neck's map, by the teacher's confidence",
    'scores-confidence': "class scores, by the teacher's confidence",
}


def local_graph_study(content: dict[str, Any]) -> str:
    """What local graphs look at and how hard they pull."""
    rows = []
    for name, entry in content['settings'].items():
        alone, taught = entry['alone'], entry['distilled']
        share = [f'{alone[key][1]:.1%}' for key in ('foreground', 'chance', 'effective_share')]
        error = [f'{part["error"][1]:.2f}' for part in (alone, taught)]
        gradient = ' to '.join(f'{value:.3f}' for value in taught['gradient'])
        rows.append([STUDIED[name], *share, *error, gradient])
    header = ['centres', 'weight on objects', 'by chance', 'effective centres']
    header += ['error, student alone', 'error, distilled', "gradient over the task's, first to last"]
    return (
        f'{markdown(header, rows)}\n\n{content["steps"]} steps, one seed; over their last tenth where nothing else is '
        "said. Error: squared difference over the teacher's variance, 1 is what a constant gives."
    )


@dataclass(frozen=True)
class Measurement:
    """A part of the section.

    Attributes:
        name: of the JSON.
        title: heading.
        command: that makes the JSON; `OUT` stands for its path.
        render: Markdown of the JSON's content.
    """

    name: str
    title: str
    command: str
    render: Callable[[dict[str, Any]], str]


EVALUATION = 'python tools/benchmarks/kitti_eval.py --labels LABELS --results RESULTS --with mmdet3d --out OUT'
EARLIER_DEMO = 'Demo, with its earlier setting (local graphs on the map, and class scores)'
MEASUREMENTS = [
    Measurement('demo', EARLIER_DEMO, 'make demo && cp work_dirs/demo/results.json OUT', demo),
    Measurement('kitti_mini', 'A few KITTI frames', 'python tools/overfit_kitti.py --root DIR --out OUT', kitti_mini),
    Measurement('kitti_eval_full_a', 'KITTI evaluation, 3,769 frames', EVALUATION, kitti_eval),
    Measurement('kitti_eval_full_c', "KITTI evaluation, a real network's 123,613 detections", EVALUATION, kitti_eval),
    Measurement(
        'visdrone_eval',
        'VisDrone evaluation',
        'python tools/benchmarks/visdrone_eval.py --labels val.tar.gz --sizes val_sizes.json --runs 3 --out OUT',
        visdrone_eval,
    ),
    Measurement(
        'cityscapes_eval',
        'Cityscapes evaluation',
        'python tools/benchmarks/cityscapes_eval.py --official PYTHON --out OUT',
        cityscapes_eval,
    ),
    Measurement(
        'distillation_overhead',
        'What distillation costs',
        'python tools/benchmarks/distillation_overhead.py --out OUT',
        overhead,
    ),
    Measurement(
        'local_graph_study',
        'What local graphs look at',
        'python tools/local_graph_study.py --steps 240 --scenes 96 --out OUT',
        local_graph_study,
    ),
    Measurement(
        'prune_yolov8m',
        'YOLOv8m, half of it',
        'python tools/benchmarks/prune_yolov8m.py --out OUT',
        pruned_yolo,
    ),
    Measurement('knn', 'Nearest neighbours', 'python tools/benchmarks/knn.py --threads 2 --out OUT', knn),
    Measurement('ops', 'Operators', 'python tools/benchmarks/ops.py > OUT', ops),
    Measurement('pillar_encoder', 'Pillar encoder', 'python tools/benchmarks/pillar_encoder.py > OUT', pillar_encoder),
]


def section() -> str:
    """Return what stands between the marks."""
    parts = []
    for entry in MEASUREMENTS:
        path = FOLDER / f'{entry.name}.json'
        if path.is_file():
            command = entry.command.replace('OUT', f'docs/results/measurements/{path.name}')
            content = json.loads(path.read_text(encoding='utf-8'))
            parts.append(f'### {entry.title}\n\n{entry.render(content)}\n\n`{command}`')
    return '\n' + '\n\n'.join(parts) + '\n'


def main() -> None:
    """Write the section, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true')
    args = parser.parse_args()
    page = DOCS / 'results.md'
    text = page.read_text(encoding='utf-8')
    before, found, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not found or not end:
        sys.exit(f'{page}: the marks {BEGIN} and {END} are missing')
    made = before + BEGIN + section() + END + after
    if not args.check:
        write_text(page, made)
    elif made != text:
        sys.exit(f'{page}: the measurements differ from their JSONs; run `python tools/measurements.py`')


if __name__ == '__main__':
    main()
