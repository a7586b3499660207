"""Intra-class feature variation distillation (IFVD)."""

from __future__ import annotations

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Feature, Map
from pointkd.distill.functional import intra_class_variation, nearest_labels
from pointkd.distill.methods._label_maps import LabelReader
from pointkd.distill.methods.base import Context, Contract, Method, Term
from pointkd.distill.methods.channel_wise import channels_last
from pointkd.distill.registry import METHODS


@METHODS.register_module()
class IntraClassVariation(Method):
    """Makes pixels lie as far from their class's centre as in the teacher; see docs/methods/intra_class_variation.md.

    Args:
        classes: number of classes in the label maps.
        ignore: label of pixels without a class; None where there is none.

    Source: IFVD (Wang et al., ECCV 2020).
    """

    contract = Contract(features=(Map,))
    connects = False  # cosines have no channels

    def __init__(self, *, classes: int, ignore: int | None = 255) -> None:
        super().__init__()
        if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
            raise ConfigError(f'classes: expected a number of classes, got {classes!r}')
        self.classes = classes
        self.labels = LabelReader('intra_class_variation', ignore)

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return the mean squared difference of cosines; maps (N, C, H, W) of any widths."""
        labels, _ = self.labels.read(context, student.values, self.classes)
        labels = nearest_labels(labels, (student.values.shape[2], student.values.shape[3]))
        loss = intra_class_variation(student.values, teacher.values, labels, self.classes, self.labels.ignore)
        return Term(loss, matched=(channels_last(student), channels_last(teacher)))
