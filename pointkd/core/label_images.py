"""Label images: PNG files with one channel, whose values are classes or instances, exactly as they were written."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from pointkd.core.errors import DataError
from pointkd.core.files import atomic_write

_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_HEADER_BYTES = 33  # signature, and the chunk IHDR
_GREY, _PALETTE = 0, 3  # colour types of one channel
_CHANNELS = {2: 'three channels (RGB)', 4: 'two channels (grey, alpha)', 6: 'four channels (RGBA)'}
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


def read_label_image(path: str | Path) -> np.ndarray:
    """Return the values of a label image.

    Args:
        path: PNG file with one channel: grey of 8 or 16 bits, or a palette, whose indices are the values.

    Returns:
        (H, W) uint8 or uint16.

    Raises:
        DataError: the file is missing, no PNG, damaged, or has several channels or fewer than 8 bits of grey (which
            readers stretch to 0..255).
    """
    content = _read(path)
    _check_header(path, content)
    try:
        with Image.open(io.BytesIO(content), formats=['PNG']) as image:
            return np.asarray(image)
    except _UNREADABLE as error:
        raise DataError(f'{path}: the PNG image is damaged ({error})') from error


def label_image_size(path: str | Path) -> tuple[int, int]:
    """Return height and width of a label image, from its header.

    Raises:
        DataError: see `read_label_image`; what lies behind the header is not looked at.
    """
    try:
        with open(path, 'rb') as file:
            content = file.read(_HEADER_BYTES)
    except OSError as error:
        raise DataError(f'{path}: can not be read ({error.strerror})') from error
    return _check_header(path, content)


def write_label_image(path: str | Path, values: np.ndarray) -> None:
    """Write a label image, whole or not at all.

    Args:
        path: PNG file; its folder is created.
        values: (H, W) uint8 or uint16.

    Raises:
        DataError: another type or number of axes.
        StorageError: it can't be written.
    """
    if values.ndim != 2 or values.dtype not in (np.uint8, np.uint16):
        raise DataError(f'{path}: a label image is (H, W) uint8 or uint16, got {values.shape} {values.dtype}')
    with atomic_write(path) as file:
        Image.fromarray(np.ascontiguousarray(values)).save(file, format='PNG')


def _read(path: str | Path) -> bytes:
    """Return the bytes of a file."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f'{path}: can not be read ({error.strerror})') from error


def _check_header(path: str | Path, content: bytes) -> tuple[int, int]:
    """Return height and width; raise unless the header is that of a PNG with one channel."""
    if len(content) < _HEADER_BYTES or content[:8] != _SIGNATURE or content[12:16] != b'IHDR':
        raise DataError(f'{path}: is not a PNG image')
    width, height, bits, colour = struct.unpack('>IIBB', content[16:26])
    if colour not in (_GREY, _PALETTE):
        raise DataError(f'{path}: has {_CHANNELS.get(colour, "several channels")}; a label image has one')
    if colour == _GREY and bits < 8:
        raise DataError(f'{path}: has {bits} bits a pixel; a label image has 8 or 16')
    return height, width
