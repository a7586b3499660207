import numpy as np
import pytest

from pointkd.core.errors import DataError
from pointkd.core.kitti import write_points
from pointkd.export.clouds import made_up_clouds, read_clouds
from pointkd.runtime.voxelize import Voxelizer

VOXELS = Voxelizer((0.5, 0.5, 4.0), (0.0, -8.0, -3.0, 16.0, 8.0, 1.0), 8, 400)


def test_made_up_clouds_are_the_same_for_a_seed_and_differ_between_seeds():
    first, again, other = made_up_clouds(VOXELS, 2), made_up_clouds(VOXELS, 2), made_up_clouds(VOXELS, 2, seed=1)
    np.testing.assert_array_equal(first[1], again[1])
    assert len(first[0]) != len(first[1])
    assert first[0].shape != other[0].shape
    assert first[0].dtype == np.float32


def test_made_up_clouds_fill_the_range_and_leave_it():
    for cloud in made_up_clouds(VOXELS, 5):
        assert len(VOXELS(cloud)) > 100
        assert (cloud[:, 0] < 0).any()


def test_clouds_are_spread_over_the_folder(tmp_path):
    for number in range(10):
        write_points(tmp_path / f'{number:06d}.bin', np.full((2, 4), number))
    assert [cloud[0, 0] for cloud in read_clouds(tmp_path, 4, 4)] == [0, 3, 6, 9]
    assert len(read_clouds(tmp_path, 4, 99)) == 10


def test_a_kitti_root_is_understood(tmp_path):
    write_points(tmp_path / 'training' / 'velodyne' / '000000.bin', np.ones((3, 4)))
    assert read_clouds(tmp_path, 4, 5)[0].shape == (3, 4)


def test_no_or_broken_clouds_are_refused(tmp_path):
    with pytest.raises(DataError, match=r'no \*\.bin file'):
        read_clouds(tmp_path, 4, 5)
    (tmp_path / 'a.bin').write_bytes(b'123')
    with pytest.raises(DataError, match='truncated'):
        read_clouds(tmp_path, 4, 5)
