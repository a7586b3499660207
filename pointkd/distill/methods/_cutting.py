"""Cutting a network's weights down to a narrower one's: which channels go together, which stay, what to copy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pointkd.core.errors import ConfigError, nearest
from pointkd.distill.methods._provenance import Channel, Provenance

SELECTIONS = ('first', 'bn_scale', 'l1')
_INPUT: Channel = ('', 0)  # the class of all channels that come from the network's input


@dataclass(frozen=True)
class Plan:
    """Classes of channels that stand or fall together.

    A class is named by its first member. Channels are of one class where they arrive at the same input channel: the
    two sides of a residual sum, the levels of a shared head.

    Attributes:
        provenance: of the network.
        classes: class of each output channel.
        groups: classes by signature, the layers that write and read them. Classes of one signature are interchangeable.
    """

    provenance: Provenance
    classes: dict[Channel, Channel]
    groups: dict[tuple[frozenset[str], frozenset[str]], list[Channel]]

    @classmethod
    def of(cls, provenance: Provenance) -> Plan:
        layers = provenance.layers
        classes = {(path, k): (path, k) for path, layer in layers.items() for k in range(layer.outputs)}
        order = {channel: number for number, channel in enumerate(classes)}

        def root(channel: Channel) -> Channel:
            while classes[channel] != channel:
                classes[channel] = channel = classes[classes[channel]]
            return channel

        arrivals = [arriving for layer in layers.values() for arriving in layer.sources]
        arrivals += [arriving for channels in provenance.norms.values() for arriving in channels]
        for arriving in arrivals:
            roots = sorted({root(channel) for channel in arriving}, key=order.__getitem__)
            classes.update(dict.fromkeys(roots[1:], *roots[:1]))
        classes = {channel: root(channel) for channel in classes}
        return cls(provenance, classes, _signatures(provenance, classes))

    def outputs(self, path: str) -> list[Channel]:
        """Return the class of each output channel of a layer."""
        return [self.classes[path, k] for k in range(self.provenance.layers[path].outputs)]

    def arriving(self, sources: Sequence[set[Channel]]) -> list[Channel]:
        """Return the class of each channel of an input, given the channels that arrive there."""
        return [self.classes[next(iter(channels))] if channels else _INPUT for channels in sources]


def _signatures(
    provenance: Provenance, classes: dict[Channel, Channel]
) -> dict[tuple[frozenset[str], frozenset[str]], list[Channel]]:
    writers, readers = defaultdict(set), defaultdict(set)
    for (path, _), name in classes.items():
        writers[name].add(path)
    for path, layer in provenance.layers.items():
        for channels in layer.sources:
            for channel in channels:
                readers[classes[channel]].add(path)
    groups = defaultdict(list)
    for name in writers:  # in the order of first members
        groups[frozenset(writers[name]), frozenset(readers[name])].append(name)
    return dict(groups)


def select(student: Plan, teacher: Plan, importance: dict[Channel, float] | None) -> dict[Channel, Channel]:
    """Return the teacher's class that each class of the student takes over.

    Args:
        student: the narrow network.
        teacher: the wide one.
        importance: of the teacher's classes; the most important ones are kept, in their order. None keeps the first.

    Raises:
        ConfigError: the networks differ in more than their widths, the student is wider, or its outputs are others.
    """
    chosen = {_INPUT: _INPUT}
    for signature, wanted in student.groups.items():
        writers = ', '.join(sorted(signature[0]))
        offered = teacher.groups.get(signature)
        if offered is None or len(offered) < len(wanted):
            raise ConfigError(
                f'TeacherInit: the student has {len(wanted)} channels of {writers} with the same use, the teacher '
                f'{len(offered or [])}; it cuts a teacher that differs from the student in its widths alone'
            )
        if not signature[1] and len(offered) != len(wanted):
            raise ConfigError(
                f'TeacherInit: the outputs of {writers} differ: {len(wanted)} in the student, {len(offered)} in the '
                'teacher; both need the same classes and anchors'
            )
        kept = list(range(len(offered)))
        if importance is not None and len(wanted) < len(offered):
            _known(offered, importance, writers)
            kept.sort(key=lambda number: -importance[offered[number]])  # stable: ties keep their order
        chosen |= dict(zip(wanted, [offered[number] for number in sorted(kept[: len(wanted)])], strict=True))
    return chosen


def _known(offered: list[Channel], importance: dict[Channel, float], writers: str) -> None:
    if any(name not in importance for name in offered):
        raise ConfigError(f"TeacherInit: no norm follows {writers}, so there is no scale to select by; use 'l1'")


def importance_of(plan: Plan, network: nn.Module, selection: str) -> dict[Channel, float] | None:
    """Return the importance of each class of channels, None for `first`.

    Args:
        plan: of the network.
        network: whose weights count.
        selection: `'bn_scale'`: Σ |scale| of the norms behind the class; `'l1'`: Σ |weight| of its filters.

    Raises:
        ConfigError: no such selection.
    """
    if selection not in SELECTIONS:
        raise ConfigError(f'selection: no choice {selection!r}: {nearest(selection, SELECTIONS)}')
    if selection == 'first':
        return None
    weights = dict(network.named_parameters())
    total: dict[Channel, float] = defaultdict(float)
    if selection == 'bn_scale':
        for path, sources in plan.provenance.norms.items():
            if f'{path}.weight' in weights:
                scales = weights[f'{path}.weight'].detach().abs().tolist()
                for name, scale in zip(plan.arriving(sources), scales, strict=True):
                    total[name] += scale
        return dict(total)
    for path, layer in plan.provenance.layers.items():
        weight = weights[f'{path}.weight'].detach().abs()
        norms = weight.movedim(layer.out_axis, 0).flatten(1).sum(1).tolist()
        for name, norm in zip(plan.outputs(path), norms, strict=True):
            total[name] += norm
    return dict(total)


@torch.no_grad()
def copy_weights(
    student: nn.Module, teacher: nn.Module, plans: tuple[Plan, Plan], chosen: dict[Channel, Channel]
) -> int:
    """Overwrite the student's weights and statistics with cuts of the teacher's.

    Args:
        student: changed in place.
        teacher: source.
        plans: of the student and the teacher.
        chosen: as `select` gives.

    Returns:
        How many tensors were cut (the others had equal shapes and were copied whole).

    Raises:
        ConfigError: a tensor of the student has no counterpart.
    """
    source, cut = teacher.state_dict(), 0
    for name, tensor in student.state_dict().items():
        if name not in source:
            raise ConfigError(f'TeacherInit: the teacher has no {name}: {nearest(name, source)}')
        values = _cut(name, source[name], plans, chosen)
        if values.shape != tensor.shape:
            raise ConfigError(
                f'TeacherInit: {name} is {tuple(tensor.shape)} in the student and {tuple(values.shape)} in the teacher '
                'once cut; its layer did not run in the trial forward, is grouped, or differs in more than its width'
            )
        cut += values.shape != source[name].shape
        tensor.copy_(values)
    return cut


def _cut(name: str, values: Tensor, plans: tuple[Plan, Plan], chosen: dict[Channel, Channel]) -> Tensor:
    """Return the part of a teacher's tensor that the student takes over."""
    path, _, kind = name.rpartition('.')
    student, teacher = plans
    ours, theirs = student.provenance, teacher.provenance
    if path in ours.layers and path in theirs.layers:
        layer = theirs.layers[path]
        outputs = _index(path, student.outputs(path), teacher.outputs(path), chosen)
        if kind != 'weight':
            return values[outputs] if values.ndim == 1 else values
        if values.shape[layer.in_axis] != len(layer.sources):  # grouped: only whole
            return values
        arriving = student.arriving(ours.layers[path].sources), teacher.arriving(layer.sources)
        inputs = _index(path, arriving[0], arriving[1], chosen)
        return values.index_select(layer.out_axis, outputs).index_select(layer.in_axis, inputs)
    if path in ours.norms and path in theirs.norms and values.ndim == 1:
        return values[_index(path, student.arriving(ours.norms[path]), teacher.arriving(theirs.norms[path]), chosen)]
    return values


def _index(path: str, wanted: list[Channel], offered: list[Channel], chosen: dict[Channel, Channel]) -> Tensor:
    """Return, for each channel of the student, the teacher's channel: same class, same place within the class.

    A class may come several times to one input: a sparse channel at each height, a feature beside its maximum.
    """
    if wanted.count(_INPUT) != offered.count(_INPUT):
        raise ConfigError(
            f'TeacherInit: of the input channels of {path}, {wanted.count(_INPUT)} come from no layer in the student '
            f'and {offered.count(_INPUT)} in the teacher; the trial batch does not reach them'
        )
    places: dict[tuple[Channel, int], int] = {key: number for number, key in enumerate(_numbered(offered))}
    keys = [(chosen[name], number) for name, number in _numbered(wanted)]
    missing = [key for key in keys if key not in places]
    if missing:
        raise ConfigError(f'TeacherInit: student and teacher differ at {path} in more than their widths')
    return torch.tensor([places[key] for key in keys], dtype=torch.long)


def _numbered(names: list[Channel]) -> list[tuple[Channel, int]]:
    """Return each name with how often it came before."""
    seen: dict[Channel, int] = defaultdict(int)
    keys = []
    for name in names:
        keys.append((name, seen[name]))
        seen[name] += 1
    return keys
