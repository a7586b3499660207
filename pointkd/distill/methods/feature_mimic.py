"""Feature mimicking: the plain control that every other method must beat."""

from __future__ import annotations

import torch

from pointkd.distill.features import Feature, Map, Points, Voxels
from pointkd.distill.functional import feature_mimic
from pointkd.distill.methods.base import Context, Contract, Method, Term
from pointkd.distill.methods.channel_wise import channels_last
from pointkd.distill.registry import METHODS


@METHODS.register_module()
class FeatureMimic(Method):
    """Makes the student's feature equal the teacher's, element by element; see docs/methods/feature_mimic.md.

    `L = mean over samples of mean (F_S - F_T)²`, over all elements and channels of the sample. A sample without
    elements counts as 0.

    Source: FitNets (1412.6550); the regressor is the connector.
    """

    contract = Contract(features=(Map, Voxels, Points))

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return the mean squared difference."""
        if isinstance(student, Voxels):  # samples have unequal numbers of them
            pairs = zip(student.samples(), teacher.samples(), strict=True)
            loss = torch.stack([feature_mimic(ours.values, theirs.values) for ours, theirs in pairs]).mean()
        else:
            loss = feature_mimic(student.values, teacher.values)
        return Term(loss, matched=(channels_last(student), channels_last(teacher)))
