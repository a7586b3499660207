"""Which detectors can be exported, and why the others can't.

Parts are told by the names of their classes, so that nothing here imports an OpenMMLab package.
"""

from __future__ import annotations

from torch import nn

from pointkd.core.errors import ExportError


def check_exportable(model: nn.Module) -> None:
    """Raise unless a detector is a PointPillars that becomes one graph of standard operators.

    Args:
        model: any detector, built.

    Raises:
        ExportError: says which part is in the way, and why.
    """
    if not is_a(model, 'VoxelNet'):
        reason = "only mmdet3d's VoxelNet with a pillar encoder (PointPillars) is supported so far"
    else:
        reason = _input_obstacle(model) or _head_obstacle(model.bbox_head)
    if reason:
        raise ExportError(f'{type(model).__name__} can not be exported: {reason}')


def is_a(thing: object, name: str) -> bool:
    """Return whether an object's class, or one it derives from, has this name."""
    return any(base.__name__ == name for base in type(thing).__mro__)


def _input_obstacle(model: nn.Module) -> str:
    """Return what is in the way between the points and the bird's-eye map, or ''."""
    encoder, scatter, preprocessor = model.voxel_encoder, model.middle_encoder, model.data_preprocessor
    if not is_a(scatter, 'PointPillarsScatter'):
        return (
            f'middle_encoder is {type(scatter).__name__}; sparse convolutions (SECOND) have no standard ONNX operator, '
            'only a pillar scatter (PointPillarsScatter) becomes one'
        )
    if not is_a(encoder, 'PillarFeatureNet') or is_a(encoder, 'DynamicPillarFeatureNet'):
        return f'voxel_encoder is {type(encoder).__name__}, expected PillarFeatureNet or RealPointsPillarFeatureNet'
    if not preprocessor.voxel or preprocessor.voxel_type != 'hard':
        return f"data_preprocessor has voxel_type {preprocessor.voxel_type!r}, expected 'hard'"
    return ''


def _head_obstacle(head: nn.Module) -> str:
    """Return what is in the way in the head, or ''."""
    generator, coder = head.prior_generator, head.bbox_coder
    if not is_a(head, 'Anchor3DHead') or is_a(head, 'ShapeAwareHead'):
        return f'bbox_head is {type(head).__name__}, expected Anchor3DHead'
    if not is_a(generator, 'Anchor3DRangeGenerator') or is_a(generator, 'AlignedAnchor3DRangeGeneratorPerCls'):
        return f'anchor_generator is {type(generator).__name__}, expected (Aligned)Anchor3DRangeGenerator'
    if generator.num_levels != 1:
        return f'bbox_head works on {generator.num_levels} levels, expected one'
    if not is_a(coder, 'DeltaXYZWLHRBBoxCoder'):
        return f'bbox_coder is {type(coder).__name__}, expected DeltaXYZWLHRBBoxCoder'
    if not head.use_sigmoid_cls or not head.use_direction_classifier:
        return 'bbox_head needs sigmoid class scores (loss_cls.use_sigmoid) and use_direction_classifier'
    return ''
