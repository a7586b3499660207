"""Training on KITTI files of which some are broken and one has no objects."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.small_kitti import make_scenes, small_kitti

from pointkd.cli.main import main
from pointkd.core.kitti import read_points, write_points
from pointkd.engine.train import train
from pointkd.io.checkpoints import read_checkpoint


@pytest.mark.long
def test_broken_frames_and_one_without_objects(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    root = make_scenes(tmp_path / 'kitti', scenes=8)
    frames = (root / 'ImageSets' / 'train.txt').read_text().split()
    empty, holes, cut, no_points = frames[:4]
    (root / 'training' / 'label_2' / f'{empty}.txt').write_text('')
    assert main(['create-data', 'kitti', '--root', str(root)]) == 0
    clouds = root / 'training' / 'velodyne_reduced'
    points = read_points(clouds / f'{holes}.bin')
    points[5] = np.nan
    write_points(clouds / f'{holes}.bin', points)
    (clouds / f'{cut}.bin').write_bytes((clouds / f'{cut}.bin').read_bytes()[:-6])
    (clouds / f'{no_points}.bin').write_bytes(b'')
    config = small_kitti(root, epochs=1, reliability=dict(max_bad_frames=3))
    config.train_dataloader.dataset.dataset.filter_empty_gt = False
    train(config, tmp_path / 'run')
    report = json.loads((tmp_path / 'run' / 'bad_frames.json').read_text())['frames']
    assert {Path(name).stem for name in report} == {holes, cut, no_points}
    weights = read_checkpoint(tmp_path / 'run' / 'last.pth')['state_dict']
    assert all(torch.isfinite(value).all() for value in weights.values())


@pytest.mark.parametrize('present', [[], [0], [0, 1]], ids=['none', 'one', 'all'])
def test_losses_of_samples_without_objects(present: list[int]) -> None:
    from helpers.nets import pillars_config, raw_batch

    from pointkd.io.build import build_model

    network = build_model(pillars_config()).train()
    batch = raw_batch(2)
    for number, sample in enumerate(batch['data_samples']):
        if number not in present:
            sample.gt_instances_3d = sample.gt_instances_3d[:0]
    loss, _ = network.parse_losses(network(**network.data_preprocessor(batch, True), mode='loss'))
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
