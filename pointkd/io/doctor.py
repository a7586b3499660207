"""What `pointkd doctor` can tell without importing anything heavy: platform, processor, installed packages, OpenCV.

Standard library only (`packaging` where versions are compared), so that it runs where the training stack, or even the
right Python, is missing.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from pointkd.core.machine import library_problem, machine_problem, python_problem

Status = Literal['ok', 'warn', 'fail']

# Why a version matters, where the package's own complaint would not say it.
REASONS = {
    'numpy': 'nuscenes-devkit and the compiled parts of mmdet3d need numpy 1',
    'setuptools': 'mmengine imports pkg_resources, which newer ones no longer have',
    'mmcv-lite': 'mmdet, mmdet3d and mmsegmentation accept nothing newer',
}
OPTIONAL = {
    'openvino': 'only to run and time exported models with OpenVINO',
    'tensorrt': 'only to build engines for NVIDIA GPUs',
    'imagenet': 'only for the ImageNet weights of EfficientNet-Lite0',
}
SIMD = ('amx_bf16', 'avx512_bf16', 'avx512f', 'avx2')


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        name: what was looked at.
        status: `'ok'`, `'warn'` (works, but read the advice) or `'fail'`.
        found: version, device, or what went wrong.
        advice: what to do, empty where there is nothing to do.
    """

    name: str
    status: Status
    found: str
    advice: str = ''


def machine() -> Iterator[Finding]:
    """Yield what is known of Python, the operating system, the processor and the libraries that open3d loads."""
    system = machine_problem()
    yield _platform('Python', python_problem(), platform.python_version())
    yield _platform('platform', system, f'{platform.system()} {platform.machine()}')
    if system is None:
        yield _platform('system libraries', library_problem(), 'all that open3d loads')
    yield processor(_cpu_flags())


def processor(flags: set[str]) -> Finding:
    """Return the instruction sets that matter for training and inference.

    Args:
        flags: as in /proc/cpuinfo.
    """
    known = [name for name in SIMD if name in flags]
    found = f'{os.cpu_count()} cores, {", ".join(known) if known else "no AVX2"}'
    if known:
        return Finding('processor', 'ok', found)
    return Finding('processor', 'warn', found, 'training and inference will be slow; use a newer machine')


def packages(*, runtime_only: bool = False) -> Iterator[Finding]:
    """Yield one finding for each package that pointkd asks for.

    Args:
        runtime_only: leave out what only training needs (a deployment install).
    """
    try:
        requirements = metadata.requires('pointkd') or []
    except metadata.PackageNotFoundError:
        yield Finding('pointkd', 'fail', 'not installed', 'run `make install`, or `pip install -e .` in the checkout')
        return
    yield Finding('pointkd', 'ok', metadata.version('pointkd'))
    if importlib.util.find_spec('packaging') is None:
        yield Finding('packaging', 'fail', 'not installed', '`pip install packaging`: no version can be judged without')
    extras = {''} if runtime_only else {'', 'train', *OPTIONAL}
    for text in requirements:
        extra, finding = package(text)
        if extra in extras:
            yield finding


def package(text: str) -> tuple[str, Finding]:
    """Return the extra (`''` for none) that a requirement belongs to, and whether what is installed meets it.

    Args:
        text: requirement as packages declare them, `mmengine==0.10.7; extra == "train"`.
    """
    requirement, _, marker = text.partition(';')
    name = re.match(r'[\w.-]+', requirement)[0]  # type: ignore[index]  # metadata always has a name
    wanted = requirement.removeprefix(name).strip()
    extra = next((extra for extra in ('train', *OPTIONAL, 'dev') if f'"{extra}"' in marker), '')
    version = installed_version(name)
    return extra, _verdict(name, wanted, extra, version, version is not None and _satisfies(version, wanted))


def _satisfies(version: str, wanted: str) -> bool:
    """Return whether a version is one of those wanted; True where `packaging` is missing and nobody can tell."""
    try:
        from packaging.specifiers import SpecifierSet
    except ImportError:
        return True
    return SpecifierSet(wanted).contains(version, prereleases=True)


def _verdict(name: str, wanted: str, extra: str, version: str | None, met: bool) -> Finding:
    """Return the finding on a package of which a version (None: nothing) is installed."""
    if met:
        return Finding(name, 'ok', str(version))
    if version is None and extra in OPTIONAL:
        return Finding(name, 'ok', 'not installed', f"optional, {OPTIONAL[extra]}: `pip install 'pointkd[{extra}]'`")
    install = f"`pip install '{name}{wanted}'`" + (f': {REASONS[name]}' if name in REASONS else '')
    if version is None:
        group = f"; the whole group: `pip install 'pointkd[{extra}]'`" if extra else ''
        return Finding(name, 'fail', 'not installed', install + group)
    status: Status = 'warn' if wanted.startswith('==') else 'fail'
    return Finding(name, status, version, f'tested with {wanted}: {install}')


def installed_version(name: str) -> str | None:
    """Return the version of an installed package, None without it; the compiled mmcv counts for mmcv-lite."""
    for candidate in (name, 'mmcv') if name == 'mmcv-lite' else (name,):
        try:
            return metadata.version(candidate)
        except metadata.PackageNotFoundError:
            continue
    return None


def opencv() -> Finding:
    """Return whether the OpenCV in place is the one that needs no display."""
    repair = '`pip install --no-deps --force-reinstall opencv-python-headless=={}`'.format(
        installed_version('opencv-python-headless') or '4.11.0.86'
    )
    try:
        import cv2
    except ImportError as error:
        return Finding('OpenCV', 'fail', str(error), repair)
    gui = [line.split()[-1] for line in cv2.getBuildInformation().splitlines() if line.strip().startswith('GUI:')]
    if gui == ['NONE']:
        return Finding('OpenCV', 'ok', f'{cv2.__version__} headless')
    return Finding('OpenCV', 'warn', f'{cv2.__version__} with windows', f'breaks on machines without libGL: {repair}')


def _platform(name: str, problem: str | None, found: str) -> Finding:
    """Turn a sentence of `pointkd.core.machine` into a finding."""
    return Finding(name, 'ok', found) if problem is None else Finding(name, 'fail', found, problem)


def _cpu_flags() -> set[str]:
    """Return the processor's instruction sets, empty where /proc does not tell."""
    path = Path('/proc/cpuinfo')
    lines = path.read_text(encoding='utf-8').splitlines() if path.exists() else []
    return set(next((line for line in lines if line.startswith('flags')), '').split())
