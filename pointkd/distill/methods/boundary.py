"""Boundary-privileged distillation (BPKD) of segmentors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Feature, Logits
from pointkd.distill.functional import boundary_body, boundary_edge
from pointkd.distill.functional.boundary import N_C, OVER
from pointkd.distill.functional.checks import one_of, positive
from pointkd.distill.functional.edges import check_kernel, edge_mask, nearest_labels, pooled_edges, pooled_share
from pointkd.distill.functional.precision import widen
from pointkd.distill.methods._label_maps import LabelReader, pixel_scores
from pointkd.distill.methods.base import Context, Contract, Method, Term
from pointkd.distill.methods.channel_wise import channels_last
from pointkd.distill.registry import METHODS

RESOLUTIONS = ('labels', 'logits', 'full')


@METHODS.register_module()
class BoundaryPrivileged(Method):
    """Copies class distributions where classes meet, and its spatial shape elsewhere; see docs/methods/boundary.md.

    `L = edge · L_E + body · L_B`: see `boundary_edge` and `boundary_body`. Masks come from the ground truth of the
    augmented sample. By default masks select pixels; `published=True` multiplies scores by masks instead, as public
    re-implementations do, which hands masked classes a score of 0.

    Args:
        published: the multiplied masks, and other defaults where this list says so; every setting can still be given.
        tau: temperature of both parts.
        kernel: side of the window that makes the edges, odd, in pixels of the map they are found on.
        ignore: label of pixels without a class; None where there is none.
        ignore_is_class: whether borders to ignored pixels are edges (default: only published).
        n_c: what a class's edge is divided by: its mask's `sum` (default), or the number of its `nonzero` entries
            (published).
        over: `sum` over classes, or `mean` over those that have an edge in the image.
        alpha: factor of every class's edge.
        edge: weight of the edge part.
        body: weight of the body part.
        resolution: `labels`: edges are found on the label map and averaged over each cell of the scores (soft masks).
            `logits`: on the label map reduced to the scores' size (hard masks, a wide border). `full`: scores are
            enlarged to the label map (hard masks, most memory).

    Source: BPKD (2306.08075); no code of its authors was used.
    """

    contract = Contract(features=(Logits,))
    connects = False

    def __init__(
        self,
        *,
        published: bool = False,
        tau: float = 4.0,
        kernel: int = 7,
        ignore: int | None = 255,
        ignore_is_class: bool | None = None,
        n_c: str | None = None,
        over: str = 'sum',
        alpha: float = 2.0,
        edge: float = 50.0,
        body: float = 20.0,
        resolution: str = 'labels',
    ) -> None:
        super().__init__()
        self.published = published
        self.n_c = n_c or ('nonzero' if published else 'sum')
        self.ignore_is_class = published if ignore_is_class is None else ignore_is_class
        positive(tau, 'tau')
        positive(alpha, 'alpha')
        check_kernel(kernel)
        one_of(self.n_c, N_C, 'n_c')
        one_of(over, OVER, 'over')
        one_of(resolution, RESOLUTIONS, 'resolution')
        if not edge >= 0 or not body >= 0 or edge + body == 0:
            raise ConfigError(f'edge, body: expected weights of at least 0 and one above it, got {edge!r} and {body!r}')
        self.tau, self.over, self.alpha = tau, over, alpha
        self.weights = (edge, body)
        self.kernel, self.resolution = kernel, resolution
        self.labels = LabelReader('boundary_privileged', ignore)

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return the weighted sum of both parts; student and teacher are softmax scores (N, C, H, W)."""
        ours, theirs = pixel_scores(student, teacher, 'BoundaryPrivileged')
        labels, known = self.labels.read(context, ours, ours.shape[1])
        if self.resolution == 'full':
            ours, theirs = (interpolate(widen(side), labels.shape[1:], mode='bilinear') for side in (ours, theirs))
        mask, labelled = self.masks(labels, known, ours.shape[1], (ours.shape[2], ours.shape[3]))
        edge = boundary_edge(
            ours, theirs, mask, self.tau, self.n_c, alpha=self.alpha, premask=self.published, over=self.over
        )
        body = boundary_body(
            ours, theirs, mask, self.tau, premask=self.published, labelled=None if self.published else labelled
        )
        loss = self.weights[0] * edge + self.weights[1] * body
        scalars = {'edge': edge.detach(), 'body': body.detach()}
        scalars |= {'edge_share': _share(mask), 'labelled': _mean(labelled)}
        return Term(loss, scalars, (channels_last(student), channels_last(teacher)))

    @torch.no_grad()
    def masks(self, labels: Tensor, known: Tensor, classes: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return the edge mask (N, C, h, w) and the share of each cell that has a label (N, 1, h, w).

        Args:
            labels: (N, H, W).
            known: (N, H, W) bool, pixels that have a class.
            classes: C.
            size: h, w of the scores.

        Raises:
            ShapeError: labels and scores do not cover the same image.
        """
        settings = (self.kernel, self.labels.ignore, self.ignore_is_class)
        if self.resolution == 'labels':
            return pooled_edges(labels, classes, size, *settings), pooled_share(known, size)
        if self.resolution == 'logits':
            labels, known = nearest_labels(labels, size), nearest_labels(known, size)
        return edge_mask(labels, classes, *settings), known.float().unsqueeze(1)


def _share(mask: Tensor) -> Tensor:
    """Return the mean share of a cell that is an edge of some class."""
    return _mean(mask.amax(1)) if mask.shape[1] else mask.sum()


def _mean(values: Tensor) -> Tensor:
    """Return the mean, 0 where there is nothing."""
    return values.mean() if values.numel() else values.sum()
