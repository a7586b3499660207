"""Measure the memory that boundary-privileged distillation needs for one image, beside channel-wise distillation.

    python tools/benchmarks/boundary_memory.py --out docs/methods/boundary_memory.json

Each case runs in a process of its own: forward and backward on scores that are there already, peak of the process's
memory above what it held before. Labels are blocks of random size, as they come out of a crop; about every tenth
pixel is an edge. `one_hot` is the edge mask as public re-implementations make it: a full-size one-hot map, dilated and
eroded by max-pooling, then averaged.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d, one_hot

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pointkd.core.files import write_json
from pointkd.distill.features import Logits
from pointkd.distill.functional import channel_wise, pooled_edges
from pointkd.distill.methods.base import Context
from pointkd.distill.methods.boundary import RESOLUTIONS, BoundaryPrivileged

STRIDE, KERNEL = 8, 7


def make_labels(height: int, width: int, classes: int) -> Tensor:
    """Return a label map (1, H, W): rectangles of random classes, one painted over the other."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros((1, height, width), dtype=torch.int64)
    for _ in range(150):
        y, x = (int(torch.randint(0, side, (), generator=generator)) for side in (height, width))
        high, wide = (int(torch.randint(8, 128, (), generator=generator)) for _ in range(2))
        labels[0, y : y + high, x : x + wide] = torch.randint(0, classes, (), generator=generator)
    return labels


def masks_by_one_hot(labels: Tensor, classes: int) -> Tensor:
    """Return pooled edge masks, made from a one-hot map."""
    regions = one_hot(labels, classes).permute(0, 3, 1, 2).float()
    dilated = max_pool2d(regions, KERNEL, 1, KERNEL // 2)
    eroded = -max_pool2d(-regions, KERNEL, 1, KERNEL // 2)
    return avg_pool2d(dilated - eroded, STRIDE)


def cases(height: int, width: int, classes: int) -> dict[str, Callable[[], Any]]:
    """Return what is measured, by name; scores and labels exist already."""
    generator = torch.Generator().manual_seed(1)
    size = (height // STRIDE, width // STRIDE)
    student, teacher = (torch.randn((1, classes, *size), generator=generator) for _ in range(2))
    student.requires_grad_()
    labels = make_labels(height, width, classes)
    context = Context(data_samples=[SimpleNamespace(gt_sem_seg=SimpleNamespace(data=labels))])
    found: dict[str, Callable[[], Any]] = {
        'channel_wise': lambda: channel_wise(student, teacher, 4.0).backward(),
        'mask': lambda: pooled_edges(labels, classes, size, KERNEL),
        'mask by one_hot': lambda: masks_by_one_hot(labels, classes),
    }

    def step(method: BoundaryPrivileged) -> None:
        method(Logits(student, classes), Logits(teacher, classes), context).loss.backward()

    for resolution in RESOLUTIONS:
        for form in ('clean', 'published'):
            method = BoundaryPrivileged(resolution=resolution, published=form == 'published', kernel=KERNEL)
            found[f'{form}, resolution={resolution}'] = lambda method=method: step(method)
    return found


def table(result: dict[str, Any]) -> str:
    """Return the peaks as the lines of a Markdown table."""
    peaks = result['peak_mib']
    lines = [f'| one image, peak MiB | {" | ".join(f"{classes} classes" for classes in peaks)} |']
    lines.append(f'|---|{"---|" * len(peaks)}')
    for name in next(iter(peaks.values())):
        lines.append(f'| {name} | {" | ".join(str(column[name]) for column in peaks.values())} |')
    return '\n'.join(lines)


def measure(name: str, height: int, width: int, classes: int) -> dict[str, float]:
    """Return peak memory above the start (MiB) and seconds of one case, in this process."""
    torch.set_num_threads(1)
    list(cases(64, 64, 3).values())  # what is loaded once
    cases(64, 64, 3)[name]()
    case = cases(height, width, classes)[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    case()
    seconds = time.perf_counter() - start
    return {'mib': (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 'seconds': seconds}


def main() -> None:
    """Measure every case in a process of its own and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--height', type=int, default=512)
    parser.add_argument('--width', type=int, default=1024)
    parser.add_argument('--classes', type=int, nargs='+', default=[19, 150])
    parser.add_argument('--out', type=Path, help='JSON; a table is printed in any case')
    parser.add_argument('--case', help='measure this one here and print it (used by the script itself)')
    options = parser.parse_args()
    size = options.height, options.width
    if options.case:
        print(json.dumps(measure(options.case, *size, options.classes[0])))
        return
    result: dict[str, Any] = {
        'labels': list(size),
        'scores': [side // STRIDE for side in size],
        'kernel': KERNEL,
        'images': 1,
        'torch': torch.__version__,
        'peak_mib': {},
        'mask_speedup': {},
    }
    for classes in options.classes:
        rows: dict[str, dict[str, float]] = {}
        for name in cases(64, 64, 3):
            command = [sys.executable, __file__, '--case', name, '--classes', str(classes)]
            command += ['--height', str(size[0]), '--width', str(size[1])]
            rows[name] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(f'classes={classes} case={name!r} mib={rows[name]["mib"]:.0f}', flush=True)
        result['peak_mib'][str(classes)] = {name: round(row['mib']) for name, row in rows.items()}
        ratio = rows['mask by one_hot']['seconds'] / rows['mask']['seconds']
        result['mask_speedup'][str(classes)] = float(f'{ratio:.2g}')
    print(table(result))
    if options.out:
        write_json(options.out, result)


if __name__ == '__main__':
    main()
