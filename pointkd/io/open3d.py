"""Imports open3d on machines that lack libusb, and says what else is missing where the import still fails."""

from __future__ import annotations

import ctypes
import functools
from types import ModuleType

from pointkd.core.errors import StackError
from pointkd.core.machine import library_problem


@functools.cache
def import_open3d() -> ModuleType:
    """Return the module open3d.

    Its wheel needs libusb-1.0 and finds the one of the wheel `libusb-package` once that is loaded.

    Raises:
        StackError: open3d or a system library is missing; the message has the command that helps.
    """
    try:
        _load_libusb()
        import open3d
    except ModuleNotFoundError as error:
        raise StackError(f"open3d is not installed ({error}): `pip install 'pointkd[train]'`") from error
    except (ImportError, OSError) as error:
        problem = library_problem() or f"open3d can't be imported: install the system library named here: {error}"
        raise StackError(problem) from error
    return open3d


def _load_libusb() -> None:
    """Load the libusb of the wheel; without that wheel, open3d looks for the system's."""
    try:
        import libusb_package
    except ImportError:
        return
    path = libusb_package.get_library_path()
    if path is not None:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
