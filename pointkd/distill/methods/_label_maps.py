"""What methods that look at label maps share."""

from __future__ import annotations

import logging

from torch import Tensor

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Feature, Logits
from pointkd.distill.functional.edges import check_labels
from pointkd.distill.ground_truth import label_maps
from pointkd.distill.methods.base import Context

logger = logging.getLogger(__name__)


class LabelReader:
    """Reads the label maps of a batch, checks them, and says once when an image has no label at all.

    Args:
        name: of the method, for the log.
        ignore: label of pixels without a class; None where there is none.
    """

    def __init__(self, name: str, ignore: int | None) -> None:
        if ignore is not None and (isinstance(ignore, bool) or not isinstance(ignore, int)):
            raise ConfigError(f'ignore: expected a label or None, got {ignore!r}')
        self.name = name
        self.ignore = ignore
        self.warned = False

    def read(self, context: Context, like: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        """Return labels (N, H, W) int64 and which pixels have a class (N, H, W) bool.

        Args:
            context: of the step.
            like: a feature of the batch.
            classes: labels are below it.

        Raises:
            DataError: no labels, sizes that differ, or values out of range.
        """
        labels = label_maps(context.data_samples, like)
        check_labels(labels, classes, self.ignore)
        known = labels != (-1 if self.ignore is None else self.ignore)
        if not self.warned:
            empty = int((~known.flatten(1).any(1)).sum())
            if empty:
                self.warned = True
                logger.warning(
                    'labels term=%s images=%d of=%d: every pixel has the ignore label %s; said once',
                    self.name,
                    empty,
                    len(labels),
                    self.ignore,
                )
        return labels, known


def pixel_scores(student: Feature, teacher: Feature, name: str) -> tuple[Tensor, Tensor]:
    """Return the class scores of pixels, (N, C, H, W) each, the teacher's detached.

    Raises:
        ConfigError: no softmax over one set of classes a pixel, or other classes on the other side.
    """
    for side, feature in (('student', student), ('teacher', teacher)):
        if not isinstance(feature, Logits) or feature.values.ndim != 4 or feature.width != feature.num_classes:
            shape = tuple(feature.values.shape)
            raise ConfigError(
                f'{name} works on class scores of pixels (N, C, H, W), the {side} gives {type(feature).__name__} of '
                f"shape {shape}; tap a segmentor's classifier, for example decode_head.conv_seg"
            )
        if feature.activation != 'softmax':
            raise ConfigError(f'{name} works on softmax scores, the {side} uses a {feature.activation}')
    if student.values.shape[1:] != teacher.values.shape[1:]:
        raise ConfigError(
            f'{name}: the student has scores of shape {tuple(student.values.shape)}, the teacher of '
            f'{tuple(teacher.values.shape)}; both need the same classes in the same order, at one size'
        )
    return student.values, teacher.values.detach()
