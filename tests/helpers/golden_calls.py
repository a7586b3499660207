"""How each golden file calls its op through `mmcv.ops`, and how closely the answer must agree (the READMEs' tables)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

Arrays = dict[str, Tensor]
Call = Callable[[ModuleType, Arrays, dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Golden:
    """One golden file: its call and the tolerances of outputs and gradients (0: exactly; relative to the largest?)."""

    folder: str
    call: Call
    tolerance: float | dict[str, float] = 0.0
    gradient: float = 0.0
    relative: bool = False
    output: str = 'output'  # what the gradient is of
    ties: tuple[str, ...] = field(default=())  # cases whose order of equal scores is that of torch's unstable sort


def _call(function: str, names: str, *outputs: str) -> Call:
    """Call `mmcv.ops.<function>` with inputs and parameters by position."""

    def run(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
        values = {**params, **arrays}
        answer = _find(ops, function)(*(values[name] for name in names.split()))
        return dict(zip(outputs, answer if len(outputs) > 1 else (answer,), strict=True))

    return run


def _find(ops: ModuleType, path: str) -> Callable[..., Any]:
    for name in path.split('.'):
        ops = getattr(ops, name)
    return ops  # type: ignore[return-value]


def _hard_voxelize(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    answer = ops.voxelize.voxelization(arrays['points'], *params.values())
    return dict(zip(('voxels', 'coors', 'num_points'), answer, strict=True))


def _dynamic_voxelize(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    return {'coors': ops.voxelize.voxelization(arrays['points'], *params.values(), -1, -1)}


def _nms(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(('dets', 'inds'), ops.nms(arrays['boxes'], arrays['scores'], **params), strict=True))


def _soft_nms(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(('dets', 'inds'), ops.soft_nms(arrays['boxes'], arrays['scores'], **params), strict=True))


def _nms_match(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    groups = ops.nms_match(arrays['dets'], **params)
    flat = [torch.cat([group[:1], group[1:].sort().values]) for group in groups]  # the rest of a group is a set
    sizes = torch.tensor([len(group) for group in groups], dtype=torch.int64)
    return {'groups_flat': torch.cat(flat) if flat else torch.zeros(0, dtype=torch.int64), 'groups_size': sizes}


def _nms_rotated(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    answer = ops.nms_rotated(
        arrays['dets'],
        arrays['scores'],
        params['iou_threshold'],
        labels=arrays.get('labels'),
        clockwise=params['clockwise'],
    )
    return dict(zip(('dets', 'inds'), answer, strict=True))


def _dynamic_scatter(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    arguments = arrays['feats'], arrays['coors'], params['reduce_type']
    features, coors = ops.scatter_points.dynamic_scatter(*arguments)
    _, _, point2voxel, count = ops.scatter_points.ext_module.dynamic_point_to_voxel_forward(*arguments)
    return {'feats': features, 'coors': coors, 'point2voxel': point2voxel, 'count': count}


def _points_in_boxes(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    arguments = arrays['points'], arrays['boxes']
    return {'all': ops.points_in_boxes_all(*arguments), 'part': ops.points_in_boxes_part(*arguments)}


def _boxes_iou3d(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    boxes = arrays['a'], arrays['b']
    return {'iou': ops.boxes_iou3d(*boxes), 'overlap_bev': ops.boxes_overlap_bev(*boxes)}


def _deform_conv(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    order = ('stride', 'padding', 'dilation', 'groups', 'deform_groups')
    settings = *(params[name] for name in order), False, params['im2col_step']
    return {'output': ops.deform_conv2d(arrays['input'], arrays['offset'], arrays['weight'], *settings)}


def _modulated_deform_conv(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    order = ('stride', 'padding', 'dilation', 'groups', 'deform_groups')
    tensors = arrays['input'], arrays['offset'], arrays['mask'], arrays['weight'], arrays.get('bias')
    return {'output': ops.modulated_deform_conv2d(*tensors, *(params[name] for name in order))}


def _psamask(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    return {'output': ops.PSAMask(params['psa_type'], params['mask_size'])(arrays['input'])}


def _focal_loss(name: str) -> Call:
    def run(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
        arguments = arrays['input'], arrays['target'], params['gamma'], params['alpha'], None
        # mmcv's own backward of reduction 'none' raises for softmax, so the sum is what gets differentiated.
        loss = getattr(ops, name)(*arguments, 'sum')
        return {'output': getattr(ops, name)(*arguments, 'none').detach(), 'sum': loss}

    return run


def _knn(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    return {'idx': ops.knn(params['k'], arrays['points'], arrays['centres'])}


def _roiaware_pool3d(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    settings = {**params, 'out_size': tuple(params['out_size'])}
    return {'output': ops.RoIAwarePool3d(**settings)(arrays['rois'], arrays['points'], arrays['features'])}


def _roipoint_pool3d(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
    answer = ops.RoIPointPool3d(**params)(arrays['points'], arrays['features'], arrays['boxes'])
    return dict(zip(('pooled', 'empty'), answer, strict=True))


def _roi_call(name: str, tensors: str) -> Call:
    def run(ops: ModuleType, arrays: Arrays, params: dict[str, Any]) -> dict[str, Any]:
        settings = [tuple(value) if isinstance(value, list) else value for value in params.values()]
        return {'output': getattr(ops, name)(*(arrays[key] for key in tensors.split()), *settings)}

    return run


@cache
def goldens() -> dict[str, Golden]:
    """Return every golden file by name."""
    mmcv, loop = 'mmcv_ops', 'loop_ops'
    ties = ('equal_scores', 'score_groups')
    overlap = 'bboxes1 bboxes2 mode aligned'
    ball = 'min_radius max_radius sample_num points centres'
    return {
        'hard_voxelize': Golden(mmcv, _hard_voxelize),
        'dynamic_voxelize': Golden(mmcv, _dynamic_voxelize),
        'nms': Golden(mmcv, _nms, ties=ties),
        'nms_match': Golden(mmcv, _nms_match, ties=ties),
        'nms_rotated': Golden(mmcv, _nms_rotated, ties=ties),
        'softnms': Golden(mmcv, _soft_nms, {'dets': 1e-5}),
        'bbox_overlaps': Golden(mmcv, _call('bbox_overlaps', f'{overlap} offset', 'ious'), 1e-6),
        'box_iou_rotated': Golden(mmcv, _call('box_iou_rotated', f'{overlap} clockwise', 'ious'), 1e-5),
        'points_in_boxes_cpu': Golden(mmcv, _call('points_in_boxes_cpu', 'points boxes', 'mask')),
        'roi_align': Golden(mmcv, _roi_call('roi_align', 'input rois'), 1e-5, 1e-5),
        'deform_conv': Golden(mmcv, _deform_conv, 1e-4, 1e-4, relative=True),
        'modulated_deform_conv': Golden(mmcv, _modulated_deform_conv, 1e-4, 1e-4, relative=True),
        'psamask': Golden(mmcv, _psamask),
        'points_in_boxes': Golden(loop, _points_in_boxes),
        'dynamic_scatter': Golden(loop, _dynamic_scatter, {'feats': 1e-5}, 1e-5, output='feats'),
        'boxes_iou3d': Golden(loop, _boxes_iou3d, 1e-5),
        'nms3d': Golden(loop, _call('nms3d', 'boxes scores iou_threshold', 'keep')),
        'nms3d_normal': Golden(loop, _call('nms3d_normal', 'boxes scores iou_threshold', 'keep')),
        'roi_pool': Golden(loop, _roi_call('roi_pool', 'input rois'), 1e-6, 1e-6, relative=True),
        'sigmoid_focal_loss': Golden(loop, _focal_loss('sigmoid_focal_loss'), 1e-5, 1e-5, True, 'sum'),
        'softmax_focal_loss': Golden(loop, _focal_loss('softmax_focal_loss'), 1e-5, 1e-5, True, 'sum'),
        'furthest_point_sample': Golden(loop, _call('furthest_point_sample', 'points m', 'output')),
        'furthest_point_sample_with_dist': Golden(loop, _call('furthest_point_sample_with_dist', 'dist m', 'output')),
        'ball_query': Golden(loop, _call('ball_query', ball, 'output')),
        'stack_ball_query': Golden(
            loop,
            lambda ops, arrays, params: _call('ball_query', f'{ball} points_cnt centres_cnt', 'output')(
                ops, arrays, {'min_radius': 0, **params}
            ),
        ),
        'three_nn': Golden(loop, _call('three_nn', 'target source', 'dist', 'idx'), {'dist': 1e-5}),
        'knn': Golden(loop, _knn),
        'grouping_operation': Golden(loop, _call('grouping_operation', 'features indices', 'output'), 1e-5, 1e-5),
        'gather_points': Golden(loop, _call('gather_points', 'features indices', 'output'), 1e-5, 1e-5),
        'three_interpolate': Golden(loop, _call('three_interpolate', 'features indices weight', 'output'), 1e-5, 1e-5),
        'roiaware_pool3d': Golden(loop, _roiaware_pool3d, 1e-5, 1e-5),
        'roipoint_pool3d': Golden(loop, _roipoint_pool3d),
        'nms_quadri': Golden(mmcv, _call('nms_quadri', 'dets scores iou_threshold', 'dets', 'inds')),
        'box_iou_quadri': Golden(mmcv, _call('box_iou_quadri', overlap, 'ious'), 1e-5),
        'roi_align_rotated': Golden(mmcv, _roi_call('roi_align_rotated', 'input rois'), 1e-5, 1e-5),
        'bezier_align': Golden(mmcv, _roi_call('bezier_align', 'input rois'), 1e-5, 1e-5),
        'rotated_feature_align': Golden(mmcv, _roi_call('rotated_feature_align', 'features best_rbboxes'), 1e-5, 1e-5),
        'active_rotated_filter': Golden(mmcv, _call('active_rotated_filter', 'input indices', 'output')),
    }


# They come with the point-based detectors; until then they raise the error of the stand-in.
PLANNED = {
    'furthest_point_sample',
    'furthest_point_sample_with_dist',
    'ball_query',
    'stack_ball_query',
    'three_nn',
    'knn',
    'grouping_operation',
    'gather_points',
    'three_interpolate',
    'roiaware_pool3d',
    'roipoint_pool3d',
}

# No network of mmdet, mmdet3d or mmseg reaches them.
NOT_SUPPLIED = {
    'nms_quadri',
    'box_iou_quadri',
    'roi_align_rotated',
    'bezier_align',
    'rotated_feature_align',
    'active_rotated_filter',
}
