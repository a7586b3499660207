"""Width and height of image files, from their headers."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from pointkd.core.errors import DataError

ENDINGS = ('.jpg', '.jpeg', '.png')
_PNG = b'\x89PNG\r\n\x1a\n'
# JPEG segments that begin a frame and so hold its size: SOF0 to SOF15 without DHT, JPG and DAC.
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})  # segments without a length


def image_size(path: str | Path) -> tuple[int, int]:
    """Return width and height of a JPEG or PNG file, without decoding it (a turn noted in EXIF is not made).

    Raises:
        DataError: the file is missing, neither JPEG nor PNG, or its header is broken.

    Source: ISO/IEC 10918-1, annex B (JPEG); PNG specification, section 11.2.2.
    """
    try:
        with open(path, 'rb') as file:
            head = file.read(24)
            if head[:8] == _PNG and head[12:16] == b'IHDR' and len(head) == 24:
                size: tuple[int, int] | None = struct.unpack('>II', head[16:24])
            elif head[:2] == b'\xff\xd8':
                file.seek(2)
                size = _jpeg_size(file)
            else:
                raise DataError(f'{path}: is neither a JPEG nor a PNG image')
    except OSError as error:
        raise DataError(f'{path}: can not be read ({error.strerror})') from error
    if size is None or 0 in size:
        raise DataError(f'{path}: the image has no usable header (truncated file?)')
    return size


def find_image(folder: str | Path, stem: str) -> Path | None:
    """Return the image of a name in a folder, whatever its ending (also in capitals); None where there is none."""
    for ending in ENDINGS:
        for candidate in (f'{stem}{ending}', f'{stem}{ending.upper()}'):
            path = Path(folder) / candidate
            if path.is_file():
                return path
    return None


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    """Return the size that the first frame segment gives, from behind the file's first marker."""
    while True:
        marker = _next_marker(file)
        if marker is None or marker == 0xDA:  # the scan begins, and no frame came before it
            return None
        if marker in _BARE_MARKERS:
            continue
        length = file.read(2)
        if len(length) < 2:
            return None
        if marker in _FRAME_MARKERS:
            frame = file.read(5)  # sample precision, lines, samples a line
            if len(frame) < 5:
                return None
            height, width = struct.unpack('>HH', frame[1:])
            return width, height
        file.seek(max(struct.unpack('>H', length)[0] - 2, 0), 1)


def _next_marker(file: BinaryIO) -> int | None:
    """Return the code of the segment that begins here, None where none does; 0xFF may fill up before it."""
    if file.read(1) != b'\xff':
        return None
    code = b'\xff'
    while code == b'\xff':
        code = file.read(1)
    return code[0] if code else None
