"""DIST: distillation from a stronger teacher, by correlation."""

from __future__ import annotations

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Feature, Logits
from pointkd.distill.functional import dist
from pointkd.distill.functional.checks import positive
from pointkd.distill.methods.base import Context, Contract, Method, Term
from pointkd.distill.methods.channel_wise import channels_last
from pointkd.distill.registry import METHODS

_CROSSES = 'classes are correlated over all rows of the batch'


@METHODS.register_module()
class DIST(Method):
    """Makes the student's class probabilities vary as the teacher's do; see docs/methods/dist.md.

    Args:
        tau: temperature.
        beta: weight of the correlation over the classes of a row.
        gamma: weight of the correlation over the rows of a class.
        per_image: pixels only: correlate rows within each image instead of over the batch.

    Source: DIST (2205.10536).
    """

    contract = Contract(features=(Logits,), per_sample=_CROSSES)
    connects = False

    def __init__(self, *, tau: float = 1.0, beta: float = 1.0, gamma: float = 1.0, per_image: bool = False) -> None:
        super().__init__()
        positive(tau, 'tau')
        if not beta >= 0 or not gamma >= 0 or beta + gamma == 0:
            raise ConfigError(
                f'beta, gamma: expected weights of at least 0 and one above it, got {beta!r} and {gamma!r}'
            )
        self.tau, self.beta, self.gamma, self.per_image = tau, beta, gamma, per_image
        if per_image or gamma == 0:
            self.contract = Contract(features=(Logits,))

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return the distance of softmax scores of rows or pixels."""
        for side, feature in (('student', student), ('teacher', teacher)):
            single = isinstance(feature, Logits) and feature.width == feature.num_classes
            if not single or feature.activation != 'softmax':  # type: ignore[union-attr]
                kind = getattr(feature, 'activation', type(feature).__name__)
                raise ConfigError(
                    f'DIST works on softmax scores, one set a row or pixel; the {side} gives {kind} of '
                    f'{feature.width} channels; use Logits for sigmoid scores and anchors'
                )
        if student.values.shape != teacher.values.shape:
            raise ConfigError(
                f'DIST: the student has scores of shape {tuple(student.values.shape)}, the teacher of '
                f'{tuple(teacher.values.shape)}; both need the same classes in the same order'
            )
        if self.per_image and student.values.ndim != 4:
            raise ConfigError('per_image: these scores are rows, not pixels of an image; remove it')
        loss = dist(student.values, teacher.values, self.tau, self.beta, self.gamma, per_image=self.per_image)
        return Term(loss, matched=(channels_last(student), channels_last(teacher)))
