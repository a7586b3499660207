"""Connectors: bring the student's feature to the teacher's width."""

from __future__ import annotations

from torch import nn
from torch.nn import functional

from pointkd.distill.features import Feature, Map
from pointkd.distill.registry import CONNECTORS


@CONNECTORS.register_module()
class Identity(nn.Module):
    """Passes the feature on; both sides must have the same width.

    Args:
        student: channels of the student's feature.
        teacher: channels of the teacher's feature.

    Raises:
        ValueError: the widths differ.
    """

    def __init__(self, student: int, teacher: int) -> None:
        super().__init__()
        if student != teacher:
            raise ValueError(f'the student has {student} channels and the teacher {teacher}; use type="Projection"')

    def forward(self, feature: Feature) -> Feature:
        """Return the feature as it is."""
        return feature


@CONNECTORS.register_module()
class Projection(nn.Module):
    """A trained 1x1 projection without activation, the same for every cell, voxel or point.

    Args:
        student: channels of the student's feature.
        teacher: channels of the teacher's feature.
        bias: whether the projection has one.
    """

    def __init__(self, student: int, teacher: int, bias: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(student, teacher, bias=bias)

    def forward(self, feature: Feature) -> Feature:
        """Return the feature with the teacher's width."""
        if isinstance(feature, Map) or feature.values.ndim == 4:
            weight = self.linear.weight[:, :, None, None]
            return feature.with_values(functional.conv2d(feature.values, weight, self.linear.bias))
        return feature.with_values(self.linear(feature.values))


def default_connector(student: int, teacher: int) -> dict[str, str]:
    """Return the connector that is built where a config names none."""
    return dict(type='Identity' if student == teacher else 'Projection')
