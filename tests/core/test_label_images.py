"""Label images: exact values through PNG, sizes from the header, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from pointkd.core.errors import DataError
from pointkd.core.label_images import label_image_size, read_label_image, write_label_image

IMAGES = st.sampled_from([np.uint8, np.uint16]).flatmap(
    lambda kind: arrays(kind, array_shapes(min_dims=2, max_dims=2, max_side=9))
)


@settings(max_examples=50, deadline=None)
@given(IMAGES)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> None:
    path = tmp_path_factory.getbasetemp() / 'image.png'
    write_label_image(path, values)
    found = read_label_image(path)
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)
    assert label_image_size(path) == values.shape


@pytest.mark.parametrize('bits', [1, 2, 4, 8])
def test_indices_of_a_palette(tmp_path: Path, bits: int) -> None:
    values = (np.arange(40) % 2**bits).astype(np.uint8).reshape(4, 10)
    image = Image.fromarray(values)
    image.putpalette(list(range(255, -1, -1)) * 3)
    image.save(tmp_path / 'p.png', bits=bits)
    np.testing.assert_array_equal(read_label_image(tmp_path / 'p.png'), values)


def test_what_is_no_label_image(tmp_path: Path) -> None:
    path = tmp_path / 'x.png'
    for read in (read_label_image, label_image_size):
        with pytest.raises(DataError, match=r'x\.png: can not be read \(No such file'):
            read(path)
    Image.fromarray(np.zeros((3, 3, 4), np.uint8)).save(path)
    for read in (read_label_image, label_image_size):
        with pytest.raises(DataError, match=r'x\.png: has four channels'):
            read(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_give_our_error_or_an_image(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / 'damaged.png'
    write_label_image(path, np.arange(60, dtype=np.uint16).reshape(6, 10))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        assert read_label_image(path).ndim == 2
    except DataError:
        with pytest.raises(DataError, match=re.escape(str(path))):
            read_label_image(path)


def test_wrong_arrays_are_not_written(tmp_path: Path) -> None:
    for values in (np.zeros((2, 2)), np.zeros((2, 2, 3), np.uint8), np.zeros(3, np.uint16)):
        with pytest.raises(DataError, match='a label image is'):
            write_label_image(tmp_path / 'x.png', values)
    assert not list(tmp_path.iterdir())
