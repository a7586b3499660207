"""FGD: focal and global distillation of maps, objects and background apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Feature, Map
from pointkd.distill.functional import box_masks, focal
from pointkd.distill.functional.checks import positive
from pointkd.distill.functional.precision import full_precision, widen
from pointkd.distill.ground_truth import box_lists
from pointkd.distill.methods.base import Context, Contract, Method, Term, Widths
from pointkd.distill.methods.channel_wise import channels_last
from pointkd.distill.registry import METHODS


@METHODS.register_module()
class FGD(Method):
    """Copies objects and background with weights of their own, and how cells relate; see docs/methods/fgd.md.

    `L = α·foreground + β·background + γ·attention + λ·relation`: sums over a sample's elements (hence the small
    factors), and the mean over samples.

    Args:
        widths: channels of both sides.
        alpha: weight of the cells of objects.
        beta: of the background.
        gamma: of the difference of the attentions.
        lambda_: of the relations; 0 leaves their two trained blocks out.
        tau: temperature of the attentions.

    Source: FGD (2111.11837); the defaults are those for RetinaNet, two-stage detectors take a twentieth and less.
    """

    contract = Contract(features=(Map,))

    def __init__(
        self,
        widths: Widths,
        *,
        alpha: float = 1e-3,
        beta: float = 5e-4,
        gamma: float = 5e-4,
        lambda_: float = 5e-6,
        tau: float = 0.5,
    ) -> None:
        super().__init__()
        positive(tau, 'tau')
        self.weights = dict(foreground=alpha, background=beta, attention=gamma, relation=lambda_)
        if min(self.weights.values()) < 0:
            raise ValueError('alpha, beta, gamma and lambda_ must be >= 0')
        self.tau = tau
        sides = ('student', 'teacher') if lambda_ else ()
        self.contexts = nn.ModuleDict({side: GlobalContext(widths.teacher) for side in sides})

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return the four parts; both maps (N, C, H, W) have the same shape."""
        ours, theirs = student.values, teacher.values
        if not isinstance(student, Map) or student.grid is None:
            raise ConfigError('FGD: boxes can not be drawn on a map of unknown place; tap a map of the whole input')
        size, grid = (ours.shape[2], ours.shape[3]), student.grid
        foreground, background = box_masks(box_lists(context.data_samples, ours), size, grid.origin[:2], grid.cell[:2])
        parts = focal(ours, theirs, foreground, background, self.tau)._asdict()
        if self.contexts:
            parts['relation'] = self._relation(ours, theirs)
        terms = {name: part * self.weights[name] for name, part in parts.items()}
        scalars = {name: part.detach() for name, part in terms.items()}
        return Term(torch.stack(list(terms.values())).sum(), scalars, (channels_last(student), channels_last(teacher)))

    def _relation(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the squared difference of both maps behind their context blocks, the sum of a sample."""
        with full_precision(student):
            ours = self.contexts['student'](widen(student))
            theirs = self.contexts['teacher'](widen(teacher.detach()))
            return (ours - theirs).square().sum() / max(1, len(student))


class GlobalContext(nn.Module):
    """Adds to each cell what the whole map says: attention pooling, then a bottleneck (GCNet's block).

    Its last layer starts at zero, so that it starts as the identity.

    Args:
        width: channels.

    Source: GCNet (1904.11492), as FGD uses it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = max(1, width // 2)
        self.attention = nn.Linear(width, 1)
        self.squeeze, self.spread = nn.Linear(width, inner), nn.Linear(inner, width)
        self.scale, self.shift = nn.Parameter(torch.ones(inner)), nn.Parameter(torch.zeros(inner))
        nn.init.kaiming_normal_(self.attention.weight, nonlinearity='relu')
        for values in (self.attention.bias, self.spread.weight, self.spread.bias):
            nn.init.zeros_(values)

    def forward(self, values: Tensor) -> Tensor:
        """Return a map (N, C, H, W) with its context added."""
        cells = values.flatten(2).transpose(1, 2)  # (N, H*W, C)
        shares = self.attention(cells).softmax(dim=1)
        pooled = self.squeeze((cells * shares).sum(1))  # (N, C/2)
        hidden = layer_norm(pooled, pooled.shape[1:], self.scale, self.shift).relu()
        return values + self.spread(hidden)[:, :, None, None]
