"""Sizes from image headers: equal to what a decoder says."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pointkd.core.errors import DataError
from pointkd.core.images import find_image, image_size


@pytest.mark.parametrize('ending', ['jpg', 'jpeg', 'png'])
@pytest.mark.parametrize('size', [(1, 1), (300, 7), (65, 1200)])
def test_size(ending: str, size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / f'a.{ending}'
    cv2.imwrite(str(path), np.zeros((size[1], size[0], 3), np.uint8))
    assert image_size(path) == size
    assert find_image(tmp_path, 'a') == path


def test_progressive_jpeg_with_segments_before_the_frame(tmp_path: Path) -> None:
    path = tmp_path / 'a.jpg'
    cv2.imwrite(str(path), np.zeros((20, 30, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    content = path.read_bytes()
    thumbnail = b'\xff\xe1\x00\x0c' + b'\xff\xc0\x00\x11\x08\x00\x01\x00\x02\x03'  # looks like a frame, is skipped
    path.write_bytes(content[:2] + b'\xff\xff' + thumbnail[1:] + b'\xff\x01' + content[2:])
    assert image_size(path) == (30, 20)


def test_ending_in_capitals(tmp_path: Path) -> None:
    (tmp_path / 'a.JPG').write_bytes(b'')
    assert find_image(tmp_path, 'a') == tmp_path / 'a.JPG'
    assert find_image(tmp_path, 'b') is None


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'neither a JPEG nor a PNG'),
        (b'GIF89a', 'neither a JPEG nor a PNG'),
        (b'\x89PNG\r\n\x1a\n', 'neither a JPEG nor a PNG'),
        (b'\xff\xd8', 'no usable header'),
        (b'\xff\xd8\xff', 'no usable header'),
        (b'\xff\xd8\xff\xe0\x00', 'no usable header'),
        (b'\xff\xd8\xff\xc0\x00\x11\x08\x00', 'no usable header'),
        (b'\xff\xd8\xff\xe0\xff\xff', 'no usable header'),
        (b'\xff\xd8\xff\xda\x00\x08', 'no usable header'),
        (b'\xff\xd8\xff\xc0\x00\x11\x08\x00\x00\x00\x00', 'no usable header'),
        (b'\xff\xd8\xff\xe0\x00\x00' * 3, 'no usable header'),
    ],
)
def test_broken_headers(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / 'a.jpg'
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf'a\.jpg: .*{message}'):
        image_size(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='can not be read'):
        image_size(tmp_path / 'a.jpg')
