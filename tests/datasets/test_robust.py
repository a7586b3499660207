"""Bad frames are replaced and reported; frames without objects are not bad."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.toy import ToyData
from mmengine.structures import InstanceData

from pointkd.core.errors import ConfigError, DataError, StackError
from pointkd.datasets.robust import REPORT, CloudCheck, NamedDataset, RobustDataset, check_sample
from pointkd.datasets.seeded import SeededDataset


class Clouds(torch.utils.data.Dataset):
    """Clouds of KITTI files, read by mmdet3d's own transform."""

    def __init__(self, folder: Path) -> None:
        from mmdet3d.datasets.transforms import LoadPointsFromFile
        from mmengine.dataset import Compose

        self.files = sorted(folder.glob('*.bin'))
        self.pipeline = Compose([])
        self.pipeline.transforms = [LoadPointsFromFile(coord_type='LIDAR', load_dim=4, use_dim=4)]

    def __len__(self) -> int:
        return len(self.files)

    def get_data_info(self, index: int) -> dict[str, Any]:
        return {'lidar_points': {'lidar_path': str(self.files[index])}}

    def __getitem__(self, index: int) -> dict[str, Any]:
        points = self.pipeline(self.get_data_info(index))['points']
        return {'inputs': {'points': points.tensor}}


@pytest.fixture
def clouds(tmp_path: Path) -> Clouds:
    """A good frame, one with a NaN, a truncated and an empty one."""
    import pointkd.engine  # noqa: F401  makes mmdet3d importable

    good = np.random.default_rng(0).uniform(0, 1, (50, 4)).astype(np.float32)
    holes = good.copy()
    holes[3, 1] = np.nan
    (tmp_path / '0_good.bin').write_bytes(good.tobytes())
    (tmp_path / '1_nan.bin').write_bytes(holes.tobytes())
    (tmp_path / '2_cut.bin').write_bytes(good.tobytes()[:-8])
    (tmp_path / '3_empty.bin').write_bytes(b'')
    return Clouds(tmp_path)


def skipped(sample: dict[str, Any]) -> dict[str, str]:
    """Return the reasons in a sample's report by file name."""
    return {Path(entry['frame']).name: entry['reason'] for entry in json.loads(sample[REPORT] or '[]')}


def test_bad_frames_are_replaced_and_named(clouds: Clouds) -> None:
    dataset = SeededDataset(RobustDataset(clouds))
    good = dataset[0]
    assert skipped(good) == {}
    reasons = {name: reason for index in range(1, 4) for name, reason in skipped(dataset[index]).items()}
    assert reasons['1_nan.bin'].startswith('1 of 50 points are not finite (reliability.nan_points=')
    assert 'cannot reshape array of size 198' in reasons['2_cut.bin']
    assert reasons['3_empty.bin'] == 'the cloud is empty'
    assert all(torch.equal(dataset[index]['inputs']['points'], good['inputs']['points']) for index in range(1, 4))


def test_points_that_are_not_finite_can_be_dropped_instead(clouds: Clouds) -> None:
    sample = RobustDataset(clouds, nan_points='filter')[1]
    assert skipped(sample) == {}
    assert len(sample['inputs']['points']) == 49


def test_replacement_depends_on_the_key_alone() -> None:
    first, second = (SeededDataset(RobustDataset(ToyData(size=9, broken=(1, 2, 3, 4))), seed=5) for _ in range(2))
    samples = [first[index] for index in range(9)]
    for index in reversed(range(9)):
        again = second[index]
        assert torch.equal(again['inputs'], samples[index]['inputs'])
        assert again[REPORT] == samples[index][REPORT]


def test_nothing_usable_is_an_error() -> None:
    with pytest.raises(DataError, match=r'50 frames in a row can not be used; the last: frame_\d\.png.*check-data'):
        RobustDataset(ToyData(size=2, broken=(0, 1)))[0]


def test_what_no_other_frame_can_mend_is_raised() -> None:
    class Missing(ToyData):
        """A data set that needs a package which is not there."""

        def __getitem__(self, index: int) -> Any:
            raise StackError('open3d is missing')

    with pytest.raises(StackError):
        RobustDataset(Missing(size=2))[0]


def test_unknown_choice_for_nan_points() -> None:
    with pytest.raises(ConfigError, match='expected one of skip, filter'):
        RobustDataset(ToyData(size=2), nan_points='drop')


def test_samples_without_objects_pass() -> None:
    from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes

    sample = Det3DDataSample()
    sample.gt_instances_3d = InstanceData(bboxes_3d=LiDARInstance3DBoxes(torch.zeros(0, 7)), labels_3d=torch.zeros(0))
    check_sample({'inputs': {'points': torch.ones(3, 4)}, 'data_samples': sample})
    check_sample({'inputs': torch.ones(3, 4, 4)})
    check_sample(('any', 'thing'))


def test_finished_samples_are_checked() -> None:
    with pytest.raises(DataError, match='no point is left in range'):
        check_sample({'inputs': {'points': torch.zeros(0, 4)}})
    with pytest.raises(DataError, match='points are not finite'):
        check_sample({'inputs': {'points': torch.full((2, 4), torch.inf)}})
    boxes = InstanceData(bboxes=torch.tensor([[0.0, 0.0, torch.nan, 1.0]]))
    with pytest.raises(DataError, match='boxes are not finite'):
        check_sample({'inputs': torch.ones(3, 4, 4), 'data_samples': type('Sample', (), {'gt_instances': boxes})()})


def test_cloud_check_alone() -> None:
    from mmdet3d.structures import LiDARPoints

    points = LiDARPoints(torch.tensor([[1.0, 2.0, torch.inf]]))
    with pytest.raises(DataError, match='the cloud is empty'):
        CloudCheck('filter')({'points': points})


def test_errors_of_a_test_set_name_the_frame(clouds: Clouds) -> None:
    dataset = NamedDataset(clouds)
    assert len(dataset[0]['inputs']['points']) == 50
    with pytest.raises(DataError, match=r'2_cut\.bin: ValueError: cannot reshape'):
        dataset[2]
