"""Distillation of class scores."""

from __future__ import annotations

import torch
from torch import Tensor

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Feature
from pointkd.distill.features import Logits as LogitsFeature
from pointkd.distill.functional import confident, logit_kl, sigmoid_kl
from pointkd.distill.functional.checks import positive
from pointkd.distill.functional.precision import widen
from pointkd.distill.methods.base import Context, Contract, Method, Term
from pointkd.distill.registry import METHODS


@METHODS.register_module()
class Logits(Method):
    """Makes the student's class scores follow the teacher's; see docs/methods/logits.md.

    - Softmax scores (two-stage heads, pixels): `τ² KL(softmax(z_T/τ) ‖ softmax(z_S/τ))`, mean over rows.
    - Sigmoid scores (anchor and centre heads): binary divergence per class, on the anchors that the teacher is sure
      about, `Σ m KL / Σ m` with `m = max_c σ(z_T)` there and 0 elsewhere. Of the hundreds of thousands of anchors
      nearly all are background on both sides; their mean would drown the rest.

    Args:
        tau: temperature.
        threshold: sigmoid only: anchors whose largest teacher probability is at or below it are left out (0.1: ten
            times the probability that focal-loss heads start from).
        fraction: sigmoid only: at most this part of a sample's anchors, the surest ones.
        soft: sigmoid only: weigh the remaining anchors by the teacher's largest probability (True) or equally.

    Source: Hinton et al. (1503.02531); the soft mask as in SparseKD (2205.15156), without its Gaussian.
    """

    contract = Contract(features=(LogitsFeature,))
    connects = False

    def __init__(
        self,
        *,
        tau: float = 1.0,
        threshold: float | None = None,
        fraction: float | None = None,
        soft: bool | None = None,
    ) -> None:
        super().__init__()
        positive(tau, 'tau')
        self.tau = tau
        self.masked = [name for name, value in locals().items() if name in _MASK and value is not None]
        self.threshold = 0.1 if threshold is None else threshold
        self.fraction = 1.0 if fraction is None else fraction
        self.soft = True if soft is None else soft
        confident(torch.zeros(0), threshold=self.threshold, fraction=self.fraction)  # refuses bad settings

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return the divergence of scores with the same anchors and classes."""
        if not isinstance(student, LogitsFeature) or not isinstance(teacher, LogitsFeature):
            raise ConfigError(f'Logits works on class scores, got {type(student).__name__}')
        if student.values.shape[1] != teacher.values.shape[1] or student.num_classes != teacher.num_classes:
            raise ConfigError(
                f'the student has {student.width} score channels for {student.num_classes} classes, the teacher '
                f'{teacher.width} for {teacher.num_classes}; both need the same classes and anchors'
            )
        ours, theirs = student.class_rows(), teacher.class_rows().detach()  # (N, R, C)
        if teacher.activation == 'softmax':
            return self._softmax(ours, theirs)
        parts = [self._sigmoid(scores, targets) for scores, targets in zip(ours, theirs, strict=True)]
        if not parts:
            return Term(ours.sum(), matched=(ours.detach(), theirs))
        loss = torch.stack([loss for loss, _ in parts]).mean()
        used = torch.stack([count for _, count in parts]).mean()
        return Term(loss, {'anchors': used}, (ours.detach(), theirs))

    def _softmax(self, ours: Tensor, theirs: Tensor) -> Term:
        """Return the divergence of all rows."""
        if self.masked:
            raise ConfigError(f'{", ".join(self.masked)}: only for sigmoid scores; this head uses a softmax')
        return Term(logit_kl(ours, theirs, self.tau), matched=(ours.detach(), theirs))

    def _sigmoid(self, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the divergence of one sample's anchors (R, C), and how many of them counted."""
        confidence = widen(targets).sigmoid().amax(-1) if len(targets) else widen(targets).sum(-1)
        chosen = confident(confidence, threshold=self.threshold, fraction=self.fraction)
        weights = torch.where(chosen, confidence if self.soft else 1.0, 0.0)
        return sigmoid_kl(scores, targets, self.tau, weights), chosen.sum().float()


_MASK = ('threshold', 'fraction', 'soft')
