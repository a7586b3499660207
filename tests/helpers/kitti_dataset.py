"""mmdet3d's data set over a prepared root, with objects pasted from the ground-truth database."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def pipeline(root: Path) -> list[dict[str, Any]]:
    """Return the transforms of training: read, paste three cars and three pedestrians, pack."""
    sampler = dict(
        data_root=str(root),
        info_path=str(root / 'kitti_dbinfos_train.pkl'),
        rate=1.0,
        prepare=dict(filter_by_difficulty=[-1], filter_by_min_points=dict(Car=5, Pedestrian=5)),
        classes=['Pedestrian', 'Car'],
        sample_groups=dict(Car=3, Pedestrian=3),
    )
    return [
        dict(type='LoadPointsFromFile', coord_type='LIDAR', load_dim=4, use_dim=4),
        dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
        dict(type='ObjectSample', db_sampler=sampler),
        dict(type='Pack3DDetInputs', keys=['points', 'gt_bboxes_3d', 'gt_labels_3d']),
    ]


def dataset(root: Path, part: str = 'train') -> Any:
    """Return the data set of a part."""
    from mmdet3d.datasets import KittiDataset
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('mmdet3d'):
        return KittiDataset(
            data_root=str(root),
            ann_file=f'kitti_infos_{part}.pkl',
            data_prefix=dict(pts='training/velodyne_reduced'),
            pipeline=pipeline(root),
            metainfo=dict(classes=['Pedestrian', 'Car']),
            modality=dict(use_lidar=True, use_camera=False),
        )
