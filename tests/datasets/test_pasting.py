"""Ground-truth pasting: dealt anew for each sample, and content with what a small database has."""

from __future__ import annotations

import logging
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pointkd.engine  # noqa: F401
from pointkd.datasets.pasting import FreshDataBaseSampler, samplers, without_missing_planes


def database(folder: Path, counts: dict[str, int]) -> dict[str, Any]:
    """Write a database of objects far apart and return the sampler's settings."""
    infos: dict[str, list] = {}
    for row, (name, count) in enumerate(counts.items()):
        infos[name] = []
        for number in range(count):
            file = folder / f'{name}_{number}.bin'
            np.full((6, 4), number, dtype=np.float32).tofile(file)
            box = np.array([10.0 * number, 20.0 * row, -1, 2, 1, 1, 0], dtype=np.float32)
            infos[name].append(
                dict(name=name, path=file.name, box3d_lidar=box, num_points_in_gt=6, difficulty=0, image_idx=number)
            )
    (folder / 'infos.pkl').write_bytes(pickle.dumps(infos))
    return dict(
        data_root=str(folder),
        info_path=str(folder / 'infos.pkl'),
        rate=1.0,
        prepare=dict(filter_by_difficulty=[-1], filter_by_min_points=dict(Car=5, Cyclist=5)),
        classes=['Car', 'Cyclist'],
        sample_groups=dict(Car=2, Cyclist=2),
        points_loader=dict(type='mmdet3d.LoadPointsFromFile', coord_type='LIDAR', load_dim=4, use_dim=4),
    )


def dealt(sampler: FreshDataBaseSampler, seed: int) -> tuple[int, ...]:
    """Return the numbers of the cars that one frame gets."""
    np.random.seed(seed)
    sampler.shuffle()
    sample = sampler.sample_all(np.zeros((0, 7), dtype=np.float32), np.zeros(0, dtype=np.int64))
    return tuple(sorted(int(box[0] // 10) for box in sample['gt_bboxes_3d']))


def test_a_frame_gets_objects_by_its_seed_alone(tmp_path: Path) -> None:
    settings = database(tmp_path, {'Car': 6})
    first, second = (FreshDataBaseSampler(**settings) for _ in range(2))
    pairs = [dealt(first, seed) for seed in range(300)]
    assert pairs[::-1] == [dealt(second, seed) for seed in reversed(range(300))]
    drawn = Counter(number for pair in pairs for number in pair)
    assert set(drawn) == set(range(6))  # none is left out
    assert max(drawn.values()) < 2 * min(drawn.values())  # and all have the same chance


@pytest.mark.parametrize('counts', [{'Car': 3}, {'Car': 3, 'Cyclist': 0}])
def test_class_without_objects_is_left_out(
    tmp_path: Path, counts: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger='pointkd'):
        sampler = FreshDataBaseSampler(**database(tmp_path, counts))
    assert sampler.sample_classes == ['Car']
    assert 'no Cyclist' in caplog.text
    assert len(dealt(sampler, 0)) == 2


def test_levelling_needs_planes(caplog: pytest.LogCaptureFixture) -> None:
    class Step:
        """Stands for `ObjectSample`."""

        use_ground_plane = True
        db_sampler = None

    class Data:
        """A data set of one frame."""

        def __init__(self, plane: Any) -> None:
            self.pipeline = [Step()]
            self.plane = plane

        def __len__(self) -> int:
            return 1

        def get_data_info(self, index: int) -> dict[str, Any]:
            return {'plane': self.plane}

    known, unknown = Data(np.zeros(4)), Data(None)
    with caplog.at_level(logging.WARNING, logger='pointkd'):
        without_missing_planes(known)
        assert caplog.text == ''
        without_missing_planes(unknown)
    assert 'no ground planes' in caplog.text
    assert known.pipeline[0].use_ground_plane
    assert not unknown.pipeline[0].use_ground_plane
    assert samplers(known) == []
