"""What a distillation method is: a small module from a pair of features to a loss.

A new method is one file in this folder: a class with `@METHODS.register_module()`, constructor arguments = its
settings, `forward` = its loss, `contract` = what it promises. The Distiller looks after taps, connectors, weight and
schedule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from pointkd.distill.features import Feature


@dataclass(frozen=True)
class Contract:
    """What a method promises; one shared test checks exactly this for each registered method.

    Attributes:
        zero_when_equal: with equal widths, student = teacher gives zero loss and zero gradient. A string says why not.
        per_sample: a batch's loss is the mean over its samples, each computed alone. A string says why not.
        features: kinds of features it takes.
    """

    zero_when_equal: bool | str = True
    per_sample: bool | str = True
    features: tuple[type, ...] = ()


@dataclass
class Widths:
    """Channels of the tapped features after the connector, found by the dry run."""

    student: int
    teacher: int


@dataclass
class Context:
    """What else a method may look at.

    Attributes:
        iteration: training iterations done.
        total: iterations of the whole run.
        data_samples: the batch's annotations as the student's loss sees them, behind augmentation and padding: one
            data element a sample, with `gt_sem_seg` or `gt_instances` and `metainfo`; None without ground truth.
            `pointkd.distill.ground_truth` reads them.
        extra: features of the method's own additional taps, by name.
    """

    iteration: int = 0
    total: int = 1
    data_samples: list | None = None
    extra: dict[str, Feature] = field(default_factory=dict)


@dataclass
class Term:
    """What a method returns.

    Attributes:
        loss: scalar, finite, defined (0 with a gradient path) for empty samples too.
        scalars: values for the log, by name (detached scalars).
        matched: the two tensors that the loss compared, detached; the collapse watch looks at their spread.
    """

    loss: Tensor
    scalars: dict[str, Tensor] = field(default_factory=dict)
    matched: tuple[Tensor, Tensor] | None = None


class Method(nn.Module):
    """Base of the methods.

    Subclasses take their settings as keyword arguments, and `widths: Widths` where they build layers of their own.

    Class attributes:
        contract: what the method promises; an object may set its own where its settings change the promise.
        connects: True when the student's feature must arrive with the teacher's width (the default connector then maps
            it); False when the method copes with any two widths by itself.
        matches: True when elements are compared one to one, so that the two sides must be brought to the same voxels,
            points or map size first.
        taps: False for a method that looks at whole networks only (`start`), without features.
    """

    contract: Contract = Contract()
    connects: ClassVar[bool] = True
    matches: ClassVar[bool] = True
    taps: ClassVar[bool] = True

    @classmethod
    def connects_with(cls, settings: Mapping[str, Any]) -> bool:
        """Return `connects` for a config block's settings (asked before the method is built)."""
        return cls.connects

    def extra_taps(self) -> dict[str, tuple[str, str]]:
        """Return additional taps by name: (`'student'` or `'teacher'`, tap path)."""
        return {}

    def start(self, student: nn.Module, teacher: nn.Module, batch: Mapping[str, Any] | None = None) -> None:
        """Prepare before the first iteration of a fresh run, never on resume: for example set the student's weights.

        Args:
            student: the plain student.
            teacher: the trained teacher.
            batch: a small raw batch, as a data loader gives it, for methods that must see both networks run.
        """

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return the loss of the student's feature against the teacher's (already matched; teacher detached)."""
        raise TypeError(f'{type(self).__name__} has no loss')
