from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointkd.core.errors import DataError
from pointkd.core.kitti import (
    Calibration,
    KittiObjects,
    read_calibration,
    read_calibration_entries,
    read_frame_list,
    read_objects,
    read_points,
    write_calibration,
    write_objects,
    write_points,
)

bounded = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
number = st.floats(-999, 999, width=32)
names = st.text(alphabet='ABCabc_', min_size=1, max_size=8)
CAR = 'Car 0.00 0 1.85 387.63 181.54 423.81 203.12 1.67 1.87 3.69 -16.53 2.39 58.49 1.57'
CALIBRATION = """P2: 700 0 600 45 0 700 170 0.2 0 0 1 0.003
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0
"""


@st.composite
def objects(draw, scored):
    count = draw(st.integers(0, 4))

    def table(columns):
        rows = draw(st.lists(st.lists(number, min_size=columns, max_size=columns), min_size=count, max_size=count))
        return np.array(rows, dtype=np.float64).reshape(count, columns)

    return KittiObjects(
        names=draw(st.lists(names, min_size=count, max_size=count)),
        truncation=np.round(np.clip(np.abs(table(1)[:, 0]), 0, 1), 2),
        occlusion=np.array(draw(st.lists(st.integers(-1, 3), min_size=count, max_size=count)), dtype=np.int64),
        alpha=table(1)[:, 0],
        boxes_2d=table(4),
        dimensions=table(3),
        location=table(3),
        rotation_y=table(1)[:, 0],
        scores=table(1)[:, 0] if scored else None,
    )


@bounded
@given(st.data())
@pytest.mark.parametrize('scored', [False, True])
def test_objects_written_and_read_are_the_same(tmp_path, scored, data):
    written = data.draw(objects(scored))
    write_objects(tmp_path / 'a.txt', written)
    read = read_objects(tmp_path / 'a.txt')
    assert read.names == written.names
    assert read.occlusion.tolist() == written.occlusion.tolist()
    assert read.truncation == pytest.approx(written.truncation)
    for field in ('alpha', 'boxes_2d', 'dimensions', 'location', 'rotation_y'):
        assert getattr(read, field) == pytest.approx(getattr(written, field), abs=5.1e-5)
    if scored and len(written):
        assert read.scores == pytest.approx(written.scores, abs=5.1e-7)
    elif not scored:
        assert read.scores is None


def test_a_row_by_hand(tmp_path):
    (tmp_path / 'a.txt').write_text(f'\n{CAR}\n\nDontCare -1 -1 -10 1 2 3 4 -1 -1 -1 -1000 -1000 -1000 -10\n')
    read = read_objects(tmp_path / 'a.txt')
    assert read.names == ['Car', 'DontCare']
    assert read.boxes_2d[0].tolist() == [387.63, 181.54, 423.81, 203.12]
    assert read.dimensions[0].tolist() == [1.67, 1.87, 3.69]
    assert read.location[0].tolist() == [-16.53, 2.39, 58.49]
    assert read.occlusion.tolist() == [0, -1]


@pytest.mark.parametrize('text', ['', '\n\n'])
def test_a_frame_without_objects(tmp_path, text):
    (tmp_path / 'a.txt').write_text(text)
    assert len(read_objects(tmp_path / 'a.txt')) == 0


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (CAR[:-5], r'a\.txt:1: expected 15 columns \(16 with a score\), got 14'),
        (CAR.replace('1.85', 'x'), r'a\.txt:1: every column after the class must be a number'),
        (f'{CAR}\n{CAR} 0.5\n', 'some rows have a score and some have not'),
    ],
)
def test_a_broken_label_names_file_and_row(tmp_path, text, message):
    (tmp_path / 'a.txt').write_text(text)
    with pytest.raises(DataError, match=message):
        read_objects(tmp_path / 'a.txt')


def test_a_missing_file_and_a_file_that_is_no_text(tmp_path):
    with pytest.raises(DataError, match='can not be read'):
        read_objects(tmp_path / 'a.txt')
    (tmp_path / 'a.txt').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(DataError, match='is not a text file'):
        read_objects(tmp_path / 'a.txt')


@bounded
@given(st.binary(max_size=300))
def test_any_bytes_give_objects_or_a_data_error(tmp_path, content):
    (tmp_path / 'a.txt').write_bytes(content)
    for reader in (read_objects, read_calibration, read_frame_list):
        with suppress(DataError):
            reader(tmp_path / 'a.txt')


def test_calibration_written_and_read_is_the_same(tmp_path):
    rng = np.random.default_rng(0)
    written = Calibration(rng.normal(size=(3, 4)), rng.normal(size=(3, 3)), rng.normal(size=(3, 4)))
    write_calibration(tmp_path / 'a.txt', written)
    read = read_calibration(tmp_path / 'a.txt')
    for field in ('projection', 'rectification', 'lidar_to_reference'):
        assert getattr(read, field) == pytest.approx(getattr(written, field))
    entries = read_calibration_entries(tmp_path / 'a.txt')
    assert sorted(entries) == ['P0', 'P1', 'P2', 'P3', 'R0_rect', 'Tr_imu_to_velo', 'Tr_velo_to_cam']
    assert entries['P2'].shape == (3, 4)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('R0_rect', 'R_rect', 'entry R0_rect is missing'),
        ('P2: 700 0', 'P2: 700', 'P2 must be 12 finite numbers, got 11'),
        ('P2: 700', 'P2: nan', 'P2 must be 12 finite numbers'),
        ('P2: 700', 'P2: seven', r'a\.txt:1: P2 must be numbers'),
        ('Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0', 'Tr_velo_to_cam:', 'entry Tr_velo_to_cam is missing'),
    ],
)
def test_a_broken_calibration_names_the_entry(tmp_path, old, new, message):
    (tmp_path / 'a.txt').write_text(CALIBRATION.replace(old, new))
    with pytest.raises(DataError, match=message):
        read_calibration(tmp_path / 'a.txt')


def test_projection_by_hand():
    calibration = Calibration(
        np.array([[700.0, 0, 600, 0], [0, 700, 170, 0], [0, 0, 1, 0]]),
        np.eye(3),
        np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]]),
    )
    ahead = calibration.lidar_to_camera @ [10.0, 1.0, -1.0, 1.0]
    pixels, depth = calibration.project(ahead[None, :3])
    assert depth[0] == pytest.approx(10.0)
    assert pixels[0] == pytest.approx([600 - 70, 170 + 70])
    _, depth = calibration.project(np.zeros((1, 3)))
    assert depth[0] == 0.0  # and no division by zero


@bounded
@given(st.lists(st.lists(st.floats(width=32), min_size=4, max_size=4), max_size=20))
def test_points_written_and_read_are_the_same_bits(tmp_path, rows):
    points = np.array(rows, dtype=np.float32).reshape(-1, 4)
    write_points(tmp_path / 'a.bin', points)
    assert read_points(tmp_path / 'a.bin').tobytes() == points.tobytes()


def test_a_truncated_cloud(tmp_path):
    (tmp_path / 'a.bin').write_bytes(b'\x00' * 30)
    with pytest.raises(DataError, match='30 bytes are not a whole number of points of 4 float32'):
        read_points(tmp_path / 'a.bin')
    with pytest.raises(DataError, match='can not be read'):
        read_points(tmp_path / 'b.bin')


def test_lists_of_frames(tmp_path):
    (tmp_path / 'a.txt').write_text('000001\n\n000012 \n')
    assert read_frame_list(tmp_path / 'a.txt') == ['000001', '000012']
    (tmp_path / 'a.txt').write_text('000001\n../evil\n')
    with pytest.raises(DataError, match=r"'\.\./evil' is no frame; expected digits"):
        read_frame_list(tmp_path / 'a.txt')
