"""Plans of pruning: which channels of which layers stay, and the narrower network that they describe.

A pruned network is its dense config with a `plan` in the `model` block: the constructor builds the dense net, the plan
cuts it, and a plain state dict loads strictly. A plan for building needs widths only; the one that pruning writes also
has the indices of the channels that stay, so that it can cut weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from pointkd.core.errors import ConfigError, nearest
from pointkd.core.files import write_json

FORMAT = 1
WHERE = 'model.plan'


@dataclass(frozen=True)
class LayerPlan:
    """What stays of one layer.

    Attributes:
        dense: channels (in, out) of the whole layer; (channels,) of a norm.
        inputs: indices of the input channels that stay, ascending; () for a norm.
        outputs: indices of the output channels that stay, ascending.
    """

    dense: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def kept(self) -> tuple[int, ...]:
        """Channels (in, out) that stay; (channels,) of a norm."""
        return (len(self.outputs),) if len(self.dense) == 1 else (len(self.inputs), len(self.outputs))


@dataclass(frozen=True)
class Plan:
    """What stays of a network.

    Attributes:
        layers: by dotted name; layers that are not named stay whole.
        attributes: settings that follow from widths and are read at run time (`middle_encoder.in_channels`), by dotted
            name: a whole number or a list of them.
    """

    layers: Mapping[str, LayerPlan] = field(default_factory=dict)
    attributes: Mapping[str, int | list[int]] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: Any, where: str = WHERE) -> Plan:
        """Read a plan as `to_config` or `to_json` gives it.

        Args:
            content: the nested dict.
            where: how messages call it.

        Raises:
            ConfigError: it is not a plan; the message names the entry.
        """
        if not isinstance(content, Mapping) or not isinstance(content.get('layers'), Mapping):
            raise ConfigError(f'{where}: is not a plan of pruning: expected a dict with `layers`')
        unknown = set(content) - {'format', 'layers', 'attributes'}
        if unknown:
            raise ConfigError(f'{where}: unknown entries {", ".join(sorted(unknown))}')
        if content.get('format', FORMAT) != FORMAT:
            raise ConfigError(f'{where}: has format {content["format"]}, this version reads {FORMAT}')
        layers = {name: _parse_layer(entry, f'{where}: {name}') for name, entry in content['layers'].items()}
        attributes = dict(content.get('attributes') or {})
        for name, value in attributes.items():
            if not _is_number(value) and not (isinstance(value, list | tuple) and all(map(_is_number, value))):
                raise ConfigError(f'{where}: attribute {name}: expected a whole number or a list, got {value!r}')
        return cls(
            layers, {name: value if isinstance(value, int) else list(value) for name, value in attributes.items()}
        )

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """Read a plan from a JSON file.

        Raises:
            ConfigError: it is missing or not a plan.
        """
        try:
            content = json.loads(Path(path).read_text(encoding='utf-8'))
        except (OSError, ValueError) as error:
            raise ConfigError(f'{path}: can not be read as a plan of pruning ({error})') from error
        return cls.parse(content, str(path))

    def then(self, further: Plan) -> Plan:
        """Return the plan that does what this one and then a further one does.

        Args:
            further: made for the network that this plan cuts.
        """
        layers = dict(self.layers)
        for name, layer in further.layers.items():
            first = self.layers.get(name)
            if first is not None:
                inputs = tuple(first.inputs[index] for index in layer.inputs)
                layer = LayerPlan(first.dense, inputs, tuple(first.outputs[index] for index in layer.outputs))
            layers[name] = layer
        return Plan(layers, {**self.attributes, **further.attributes})

    def write(self, path: str | Path) -> None:
        """Write the plan with its indices as a JSON file."""
        write_json(path, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the plan with the indices of all channels that stay."""
        indices = {
            name: {'dense': list(layer.dense), 'inputs': list(layer.inputs), 'outputs': list(layer.outputs)}
            for name, layer in self.layers.items()
        }
        return {'format': FORMAT, 'layers': indices, 'attributes': dict(self.attributes)}

    def to_config(self) -> dict[str, Any]:
        """Return the plan's widths, enough to build the network from its config."""
        widths = {name: {'dense': list(layer.dense), 'kept': list(layer.kept)} for name, layer in self.layers.items()}
        return {'layers': widths, 'attributes': dict(self.attributes)}


def apply_plan(network: nn.Module, plan: Plan, where: str = WHERE) -> None:
    """Cut a dense network to a plan, in place; the weights that stay keep their values.

    Args:
        network: as the config without the plan builds it.
        plan: what stays.
        where: how messages call the plan.

    Raises:
        ConfigError: the plan was made for another network; nothing has been changed then.
    """
    modules = dict(network.named_modules())
    for name, layer in plan.layers.items():
        if name not in modules:
            raise ConfigError(f'{where}: this network has no layer {name!r}: {nearest(name, modules)}')
        _check_layer(modules[name], layer, f'{where}: {name}')
    for path in plan.attributes:
        owner, _, attribute = path.rpartition('.')
        if owner not in modules or not hasattr(modules[owner], attribute):
            raise ConfigError(f'{where}: this network has no attribute {path!r}')
    for name, layer in plan.layers.items():
        cut_layer(modules[name], layer)
    for path, value in plan.attributes.items():
        owner, _, attribute = path.rpartition('.')
        setattr(modules[owner], attribute, value if isinstance(value, int) else tuple(value))


def channels_of(module: nn.Module) -> tuple[int, ...] | None:
    """Return the channels (in, out) of a layer, (channels,) of a norm, None for a kind that can't be cut.

    Kinds: convolutions (plain and depthwise), transposed ones, linear layers, batch norms.
    """
    if isinstance(module, _BatchNorm):
        return (module.num_features,)
    if isinstance(module, nn.Linear):
        return (module.in_features, module.out_features)
    if isinstance(module, _ConvNd):
        plain = module.groups == 1 or is_depthwise(module)
        return (module.in_channels, module.out_channels) if plain else None
    return None


def is_depthwise(module: nn.Module) -> bool:
    """Return whether a layer is a convolution with one filter a channel."""
    if not isinstance(module, _ConvNd) or isinstance(module, _ConvTransposeNd):
        return False
    return 1 < module.groups == module.in_channels == module.out_channels


def cut_layer(module: nn.Module, layer: LayerPlan) -> None:
    """Cut one layer to what stays of it, in place (kinds as in `channels_of`)."""
    inputs, outputs = torch.tensor(layer.inputs, dtype=torch.long), torch.tensor(layer.outputs, dtype=torch.long)
    if isinstance(module, _BatchNorm):
        for name in ('weight', 'bias', 'running_mean', 'running_var'):
            _take(module, name, 0, outputs)
        module.num_features = len(outputs)
        return
    if is_depthwise(module):
        _take(module, 'weight', 0, outputs)
        module.groups = len(outputs)
    else:
        first = int(isinstance(module, _ConvTransposeNd))  # its weight is (in, out, ...), all others (out, in, ...)
        _take(module, 'weight', first, outputs)
        _take(module, 'weight', 1 - first, inputs)
    _take(module, 'bias', 0, outputs)
    names = ('in_features', 'out_features') if isinstance(module, nn.Linear) else ('in_channels', 'out_channels')
    for name, width in zip(names, layer.kept, strict=True):
        setattr(module, name, width)


def _take(module: nn.Module, name: str, axis: int, index: Tensor) -> None:
    """Keep some entries of a parameter or buffer along one axis; None stays None."""
    value = getattr(module, name)
    if value is None:
        return
    kept = value.detach().index_select(axis, index.to(value.device))
    if value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last):
        kept = kept.contiguous(memory_format=torch.channels_last)
    if isinstance(value, nn.Parameter):
        kept = nn.Parameter(kept, requires_grad=value.requires_grad)
    setattr(module, name, kept)


def _check_layer(module: nn.Module, layer: LayerPlan, where: str) -> None:
    """Raise unless a layer is what its plan was made for."""
    channels = channels_of(module)
    if channels is None:
        raise ConfigError(f'{where}: is a {type(module).__name__}, which a plan can not cut')
    if channels != layer.dense:
        ours, planned = (' -> '.join(map(str, widths)) for widths in (channels, layer.dense))
        raise ConfigError(
            f'{where}: has {ours} channels in this config, the plan was made for {planned}; '
            'use the config that was pruned'
        )
    if is_depthwise(module) and layer.inputs != layer.outputs:
        raise ConfigError(f'{where}: is depthwise, so its inputs and outputs must be the same channels')


def _parse_layer(entry: Any, where: str) -> LayerPlan:
    """Read what stays of one layer."""
    if not isinstance(entry, Mapping) or set(entry) not in ({'dense', 'kept'}, {'dense', 'inputs', 'outputs'}):
        raise ConfigError(f'{where}: expected a dict of `dense` and `kept`, or of `dense`, `inputs` and `outputs`')
    dense = entry['dense']
    if not isinstance(dense, list | tuple) or len(dense) not in (1, 2) or not all(map(_is_number, dense)):
        raise ConfigError(f'{where}: dense must be [in, out], or [channels] of a norm, got {dense!r}')
    if 'kept' in entry:
        kept = entry['kept']
        if not isinstance(kept, list | tuple) or len(kept) != len(dense) or not all(map(_is_number, kept)):
            raise ConfigError(f'{where}: kept must be {len(dense)} whole numbers, got {kept!r}')
        inputs, outputs = range(kept[0] if len(dense) == 2 else 0), range(kept[-1])
    else:
        inputs, outputs = entry['inputs'], entry['outputs']
    return LayerPlan(
        tuple(dense),
        _indices(inputs, dense[0], f'{where}: inputs') if len(dense) == 2 else (),
        _indices(outputs, dense[-1], f'{where}: outputs'),
    )


def _indices(values: Sequence[int], width: int, where: str) -> tuple[int, ...]:
    """Return indices after a check."""
    if not all(map(_is_number, values)) or list(values) != sorted(set(values)):
        raise ConfigError(f'{where}: expected ascending channel numbers')
    if not values:
        raise ConfigError(f'{where}: no channel would be left')
    if values[0] < 0 or values[-1] >= width:
        raise ConfigError(f'{where}: {values[-1] + 1 if values[0] >= 0 else values[0]} does not fit {width} channels')
    return tuple(values)


def _is_number(value: Any) -> bool:
    """Return whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)
