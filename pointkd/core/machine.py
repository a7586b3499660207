"""Does this machine fit? Standard library only, so that it can run before anything is installed.

`python pointkd/core/machine.py` prints nothing and exits 0 where pointkd can be installed; else one sentence and the
command that helps. `make` runs it first.
"""

from __future__ import annotations

import ctypes
import platform
import sys

# System libraries that the open3d wheel loads (libusb comes from the wheel libusb-package) and their Debian packages.
OPEN3D_LIBRARIES = {
    'libX11.so.6': 'libx11-6',
    'libGL.so.1': 'libgl1',
    'libEGL.so.1': 'libegl1',
    'libudev.so.1': 'libudev1',
    'libidn2.so.0': 'libidn2-0',
    'libgomp.so.1': 'libgomp1',
}


def python_problem(version: tuple[int, ...] = tuple(sys.version_info[:2])) -> str | None:
    """Return what is wrong with this Python, or None."""
    if version[:2] == (3, 11):
        return None
    found = '.'.join(str(part) for part in version[:2])
    return (
        f'pointkd needs Python 3.11 (spconv-cu120 has wheels up to 3.11 only), this is {found}: '
        'install python3.11 with its venv module and run `make PYTHON=python3.11 ...`'
    )


def machine_problem(system: str = platform.system(), machine: str = platform.machine()) -> str | None:
    """Return what is wrong with the operating system or processor, or None."""
    if system == 'Linux' and machine in ('x86_64', 'AMD64'):
        return None
    return (
        f'pointkd trains on Linux x86-64 (spconv-cu120 has wheels for nothing else), this is {system} {machine}: '
        'use such a machine or container, for instance `docker run -it --platform linux/amd64 python:3.11`'
    )


def library_problem() -> str | None:
    """Return which system libraries of open3d are missing and how to get them, or None."""
    missing = []
    for name in OPEN3D_LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(name)
    if not missing:
        return None
    packages = ' '.join(OPEN3D_LIBRARIES[name] for name in missing)
    return f'open3d misses the system libraries {", ".join(missing)}: `apt-get install -y {packages}`'


def problems() -> list[str]:
    """Return every reason why pointkd can't be installed and run here, most basic first."""
    found = [python_problem(), machine_problem()]
    if not any(found):
        found.append(library_problem())
    return [problem for problem in found if problem]


if __name__ == '__main__':
    reasons = problems()
    for reason in reasons:
        sys.stderr.write(reason + '\n')
    sys.exit(1 if reasons else 0)
