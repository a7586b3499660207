"""Whatever stands in a file, a reader gives a result or one of our errors."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pointkd.core.errors import CheckpointError, ConfigError, DataError, PointKDError
from pointkd.core.images import image_size
from pointkd.core.kitti import read_calibration, read_frame_list, read_objects, read_points
from pointkd.core.visdrone import bad_rows, read_rows
from pointkd.io.checkpoints import read_checkpoint, weights_of
from pointkd.io.config import load_config
from pointkd.io.options import apply_options

ROW = 'Car 0.00 0 -1.58 587.01 173.33 614.12 200.12 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59\n'
CALIBRATION = (
    'P2: 700 0 600 0 0 700 180 0 0 0 1 0\nR0_rect: 1 0 0 0 1 0 0 0 1\nTr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0\n'
)
VISDRONE = '684,8,273,116,1,4,0,0\n406,119,265.5,70,0,0,0,0\n'
PICTURE = cv2.imencode('.jpg', np.zeros((3, 5, 3), np.uint8))[1].tobytes()
CONFIG = "a = dict(b=[1, 2], c='text')\nd = a['b'][0]\n"

fuzz = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def broken(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draw a right content with up to four cuts, replacements and insertions."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(content)))
        end = draw(st.integers(begin, min(begin + 40, len(content))))
        content[begin:end] = draw(
            st.one_of(
                st.binary(max_size=8),
                st.sampled_from([b'nan', b'-inf', b'1e999', b'-1', b'\n', b'\0', b'\xff\xfe', b':', b'(' * 300, b'#']),
            )
        )
    return bytes(content)


def contents(whole: bytes) -> st.SearchStrategy[bytes]:
    """Draw a broken content, or anything."""
    return st.one_of(broken(whole), st.binary(max_size=200))


def refuse_or_read(read: Callable[[Path], object], path: Path, content: bytes, error: type[PointKDError]) -> None:
    """Read a file; an error must be of our class and name the file."""
    path.write_bytes(content)
    message = str(path)
    try:
        read(path)
    except error as problem:
        message = str(problem)
    assert str(path) in message


@pytest.mark.filterwarnings('error')
@fuzz
@given(content=contents(ROW.encode() * 2))
@example(content=ROW.replace(' 0 ', ' 1e300 ').encode())
def test_labels(content: bytes, tmp_path: Path) -> None:
    refuse_or_read(read_objects, tmp_path / 'label.txt', content, DataError)


@pytest.mark.filterwarnings('error')
@fuzz
@given(content=contents(CALIBRATION.encode()))
def test_calibration(content: bytes, tmp_path: Path) -> None:
    refuse_or_read(read_calibration, tmp_path / 'calib.txt', content, DataError)


@fuzz
@given(content=contents(b'000001\n000002\n'))
def test_frame_lists(content: bytes, tmp_path: Path) -> None:
    refuse_or_read(read_frame_list, tmp_path / 'train.txt', content, DataError)


@fuzz
@given(content=contents(np.ones((3, 4), np.float32).tobytes()))
def test_clouds(content: bytes, tmp_path: Path) -> None:
    refuse_or_read(read_points, tmp_path / 'cloud.bin', content, DataError)


@pytest.mark.filterwarnings('error')
@fuzz
@given(content=contents(VISDRONE.encode() * 2))
@example(content=VISDRONE.replace(',4,', ',1_0,').encode())
@example(content=VISDRONE.replace(',4,', ',\uff11,').encode())
@example(content=VISDRONE.replace(',4,', ',"4",').encode())
@example(content=VISDRONE.replace(',4,', ',0x4,').encode())
def test_visdrone_rows(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / 'rows.txt'
    refuse_or_read(read_rows, path, content, DataError)
    with contextlib.suppress(DataError):
        wrong = bad_rows(path)
        if wrong:  # what is named is refused
            with pytest.raises(DataError):
                read_rows(path)


@fuzz
@given(content=contents(PICTURE))
def test_image_headers(content: bytes, tmp_path: Path) -> None:
    refuse_or_read(image_size, tmp_path / 'image.jpg', content, DataError)


@pytest.mark.long
@pytest.mark.filterwarnings('ignore')  # Python warns of odd literals
@fuzz
@given(content=contents(CONFIG.encode()))
@example(content=b'_base_ = 5\n')
@example(content=b'_base_ = [5]\n')
@example(content=b'a = 1\0')
@example(content=b'a = ' + b'(' * 500 + b')' * 500)
@example(content=b'raise SystemExit\n')
@example(content=b'model = dict(type=5)\n')
@example(content=b'model = 5\n')
def test_python_configs(content: bytes, tmp_path: Path) -> None:
    refuse_or_read(load_config, tmp_path / 'config.py', content, ConfigError)


@pytest.mark.parametrize(
    ('name', 'whole'), [('config.json', b'{"a": {"b": [1, 2]}}'), ('config.yaml', b'a: {b: [1]}\n')]
)
@pytest.mark.filterwarnings('ignore')
@fuzz
@given(data=st.data())
def test_other_configs(name: str, whole: bytes, data: st.DataObject, tmp_path: Path) -> None:
    refuse_or_read(load_config, tmp_path / name, data.draw(contents(whole)), ConfigError)


@fuzz
@given(words=st.lists(st.one_of(st.text(max_size=20), st.text('ab.c0=+[]{}(), ', max_size=20)), max_size=3))
def test_options(words: list[str]) -> None:
    with contextlib.suppress(ConfigError):
        apply_options({'a': {'b': [1, {'c': 2}]}, 'c': 'text'}, words)


def checkpoint() -> bytes:
    """Return a small checkpoint."""
    buffer = io.BytesIO()
    torch.save({'state_dict': {'weight': torch.ones(2, 3)}, 'meta': {'epoch': 1}}, buffer)
    return buffer.getvalue()


@fuzz
@given(content=contents(checkpoint()))
def test_checkpoints(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / 'net.pth'
    refuse_or_read(lambda path: weights_of(read_checkpoint(path), str(path)), path, content, CheckpointError)
