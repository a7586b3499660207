import math
import subprocess
import sys
from pathlib import Path

import numpy as np
from helpers.kitti_frames import CALIBRATION, cloud, labels, write_frame, write_root

from pointkd.core.kitti import KittiObjects
from pointkd.datasets.kitti_statistics import FrameNumbers, count, frame_numbers, occlusion_shares, points_by_distance


def numbers(name: str, distance: float, points: int, occlusion: int) -> FrameNumbers:
    return FrameNumbers([name], np.array([distance]), np.array([points]), np.array([occlusion]), 0, 1000)


def test_a_frame_by_hand(tmp_path):
    found = frame_numbers(write_frame(tmp_path), '000000')
    assert found.names == ['Car', 'Pedestrian']
    assert found.distances.round(1).tolist() == [12.2, 18.2]
    assert (found.points >= 200).all()
    assert found.ignored == 1
    assert found.occlusion.tolist() == [0, 0]


def test_a_frame_without_objects():
    found = count(cloud(), KittiObjects(), CALIBRATION, (1242, 375))
    assert found.names == []
    assert found.points.tolist() == []
    assert found.cloud > 0


def test_only_dontcare():
    found = count(cloud(), labels((), np.zeros((0, 7)), void=2), CALIBRATION, (1242, 375))
    assert (found.names, found.ignored) == ([], 2)


def test_median_by_distance():
    frames = [numbers('Car', 5, 100, 0), numbers('Car', 7, 300, 1), numbers('Car', 15, 50, 1), numbers('Van', 5, 9, 0)]
    bins = points_by_distance(frames, 'Car', (0, 10, 20, 30))
    assert bins[:2] == [(2, 200.0), (1, 50.0)]
    assert bins[2][0] == 0
    assert math.isnan(bins[2][1])


def test_shares_of_occlusion():
    frames = [numbers('Car', 5, 1, level) for level in (0, 0, 1, 3)]
    assert occlusion_shares(frames, 'Car') == [0.5, 0.25, 0.0, 0.25]
    assert all(math.isnan(share) for share in occlusion_shares(frames, 'Tram'))


def test_the_tool_prints_its_tables(tmp_path):
    tool = Path(__file__).resolve().parents[2] / 'tools' / 'synthetic_statistics.py'
    root = str(write_root(tmp_path))
    done = subprocess.run([sys.executable, tool, root, root, '--jobs', '1'], capture_output=True, text=True, check=True)
    assert '| synthetic | 3 |' in done.stdout
    assert 'Car: median points an object (objects)' in done.stdout
    assert '| real | 100% / 0% / 0% / 0% |' in done.stdout
