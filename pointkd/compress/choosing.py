"""Which channels stay: a share of every group, or the best of the whole network; widths are a multiple of 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from pointkd.compress.coupling import INPUTS, OUTPUTS, ChannelGroup
from pointkd.compress.graphs import Follows
from pointkd.core.errors import ConfigError
from pointkd.io.plan import LayerPlan, Plan, channels_of, is_depthwise

SCOPES = ('layer', 'global')


@dataclass(frozen=True)
class Ranked:
    """A group whose channels may be cut.

    Attributes:
        group: the channels.
        scores: (C,) importance of each.
        comparable: whether scores may be compared with other groups'; a group without is cut by the ratio alone.
    """

    group: ChannelGroup
    scores: np.ndarray
    comparable: bool = True


def choose(ranked: Sequence[Ranked], ratio: float, *, scope: str = 'layer', multiple: int = 8) -> list[np.ndarray]:
    """Return the channels that stay in each group.

    `layer`: the same share of each group goes. `global`: the share is of all channels together, by one threshold.
    Widths are rounded to the nearest multiple; groups not wider than that stay whole.

    Args:
        ranked: the groups that may be cut.
        ratio: share of channels to cut, 0 <= ratio < 1.
        scope: `'layer'` or `'global'`.
        multiple: of which widths must be, 1 for any width.

    Returns:
        Ascending channel numbers of each group.

    Raises:
        ConfigError: a setting is out of range, or a group would be left without a channel.
    """
    if not 0 <= ratio < 1:
        raise ConfigError(f'ratio {ratio:g}: expected a share of channels to cut, at least 0 and below 1')
    if scope not in SCOPES:
        raise ConfigError(f'scope {scope!r}: expected {" or ".join(SCOPES)}')
    if multiple < 1:
        raise ConfigError(f'multiple {multiple}: expected a whole number of at least 1')
    wanted = _wanted(ranked, ratio, scope, multiple)
    return [
        np.sort(np.argsort(-entry.scores, kind='stable')[: _rounded(entry.group, share, ratio, multiple)])
        for entry, share in zip(ranked, wanted, strict=True)
    ]


def make_plan(
    network: nn.Module, kept: Sequence[tuple[ChannelGroup, np.ndarray]], attributes: Mapping[str, Follows]
) -> Plan:
    """Return the plan that cuts groups to the channels that stay.

    Args:
        network: the dense one.
        kept: groups with the channels that stay in them; other groups stay whole.
        attributes: as in `TensorGraph.attributes`.
    """
    dropped: dict[tuple[str, str], list[np.ndarray]] = {}
    for group, stays in kept:
        goes = np.setdiff1d(np.arange(group.channels), stays)
        if len(goes):
            for side, places in group.members.items():
                dropped.setdefault(side, []).append(places[goes].ravel())
    layers = {}
    for name, module in network.named_modules():
        if (name, INPUTS) not in dropped and (name, OUTPUTS) not in dropped:
            continue
        dense = channels_of(module)
        assert dense is not None  # members of groups are of such kinds
        sides = {
            side: _staying(dense[-1 if side == OUTPUTS else 0], dropped.get((name, side))) for side in (INPUTS, OUTPUTS)
        }
        inputs = sides[OUTPUTS] if is_depthwise(module) else sides[INPUTS]
        layers[name] = LayerPlan(dense, () if len(dense) == 1 else inputs, sides[OUTPUTS])
    followed = {
        path: follows.value(layers[follows.layer].outputs)
        for path, follows in attributes.items()
        if follows.layer in layers
    }
    return Plan(layers, followed)


def _staying(width: int, dropped: list[np.ndarray] | None) -> tuple[int, ...]:
    """Return the channels of one side that stay."""
    goes = np.concatenate(dropped) if dropped else np.empty(0, dtype=int)
    return tuple(np.setdiff1d(np.arange(width), goes).tolist())


def _wanted(ranked: Sequence[Ranked], ratio: float, scope: str, multiple: int) -> list[float]:
    """Return how many channels each group should keep, before rounding."""
    shares = [entry.group.channels * (1 - ratio) for entry in ranked]
    together = [entry for entry in ranked if entry.comparable and entry.group.channels > multiple]
    if scope == 'layer' or not together:
        return shares
    scores = np.concatenate([entry.scores for entry in together])
    stays = np.ones(len(scores), dtype=bool)
    stays[np.argsort(scores, kind='stable')[: int(len(scores) * ratio)]] = False  # a place, not a value: zeros are tied
    ends = np.cumsum([len(entry.scores) for entry in together])
    counts = {id(entry): float(part.sum()) for entry, part in zip(together, np.split(stays, ends[:-1]), strict=True)}
    return [counts.get(id(entry), share) for entry, share in zip(ranked, shares, strict=True)]


def _rounded(group: ChannelGroup, wanted: float, ratio: float, multiple: int) -> int:
    """Return the width of a group."""
    if group.channels <= multiple:
        return group.channels
    if wanted < 1:
        raise ConfigError(
            f'ratio {ratio:g} would empty {group.name}, of whose {group.channels} channels none would stay; '
            'take a smaller ratio, or keep this layer whole with --keep'
        )
    return min(group.channels, max(multiple, int(wanted / multiple + 0.5) * multiple))
