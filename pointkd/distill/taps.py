"""Taps: naming a module's output (or input) by its path, and recording it during one forward."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor, nn

from pointkd.core.errors import ConfigError, TrainingError, nearest

_PATH = re.compile(r'^(?P<module>\w+(?:\.\w+)*)(?::(?P<side>in|out))?(?P<index>(?:\[[\w-]+\])*)$')


@dataclass(frozen=True)
class Tap:
    """Where a feature is taken.

    Attributes:
        module: dotted path below the network, `backbone.blocks.1`.
        side: `'out'` (default) or `'in'`, the module's positional inputs.
        index: entries to take one after another from lists, tuples and dicts: `neck[0]`, `backbone[fp_features][-1]`.
            A module that is called several times in a forward gives a list in call order: the first entry indexes it.
    """

    module: str
    side: str = 'out'
    index: tuple[int | str, ...] = ()

    @classmethod
    def parse(cls, text: str, where: str) -> Tap:
        """Read a tap from its text form, `module.path[:in][index]...`.

        Raises:
            ConfigError: the text has another form.
        """
        match = _PATH.match(text) if isinstance(text, str) else None
        if match is None:
            raise ConfigError(
                f"{where}: {text!r} is not a tap; write 'module.path', 'module.path[0]' or 'module.path:in'"
            )
        entries = re.findall(r'\[([\w-]+)\]', match['index'])
        index = tuple(int(entry) if re.fullmatch(r'-?\d+', entry) else entry for entry in entries)
        return cls(match['module'], match['side'] or 'out', index)

    def __str__(self) -> str:
        side = ':in' if self.side == 'in' else ''
        return self.module + side + ''.join(f'[{entry}]' for entry in self.index)


@dataclass
class Call:
    """One call of a tapped module: its positional inputs and its output."""

    inputs: tuple[Any, ...]
    output: Any
    versions: dict[int, int] = field(default_factory=dict)

    def side(self, name: str) -> Any:
        """Return the output or the inputs (a single input by itself)."""
        if name == 'out':
            return self.output
        return self.inputs[0] if len(self.inputs) == 1 else self.inputs


class Enough(Exception):
    """Raised inside a recorded forward when every tap has fired as often as it will."""


class Recording:
    """What the tapped modules of one forward took and gave.

    Args:
        network_name: `'student'` or `'teacher'`, for messages.
        image_size: height, width in pixels of the images that went in; None for other inputs.
    """

    def __init__(self, network_name: str, image_size: tuple[int, int] | None = None) -> None:
        self.network_name = network_name
        self.image_size = image_size
        self.calls: dict[str, list[Call]] = {}

    def take(self, tap: Tap) -> tuple[Any, Call]:
        """Return what a tap names, and the (last) call that it comes from.

        Raises:
            TrainingError: the module was not called in this forward, or its tensor was changed in place afterwards.
            ConfigError: an index names nothing.
        """
        calls = self.calls.get(tap.module, [])
        if not calls:
            raise TrainingError(
                f'{self.network_name} tap {tap}: the module did not run in this forward, so there is nothing to '
                'distil; tap a module that the loss depends on'
            )
        sides = [call.side(tap.side) for call in calls]
        value: Any = sides if len(calls) > 1 else sides[0]
        for entry in tap.index:
            value = self._entry(value, entry, tap)
        self._check_unchanged(value, calls, tap)
        return value, calls[-1]

    def counts(self) -> dict[str, int]:
        """Return how often each tapped module ran."""
        return {path: len(calls) for path, calls in self.calls.items()}

    def _entry(self, value: Any, entry: int | str, tap: Tap) -> Any:
        kind = f'a {type(value).__name__}'  # never into a tensor: [0] would take the first sample
        if isinstance(value, Mapping):
            if entry in value:
                return value[entry]
            kind = f'a dict with the keys {list(value)}'
        elif isinstance(value, (list, tuple)):
            if isinstance(entry, int) and -len(value) <= entry < len(value):
                return value[entry]
            kind = f'a {type(value).__name__} of {len(value)}'
        raise ConfigError(f'{self.network_name} tap {tap}: [{entry}] does not exist, there is {kind}')

    def _check_unchanged(self, value: Any, calls: Sequence[Call], tap: Tap) -> None:
        for tensor in tensors_of(value):
            for call in calls:
                if call.versions.get(id(tensor), tensor._version) != tensor._version:
                    raise TrainingError(
                        f'{self.network_name} tap {tap}: the tensor was changed in place after the tap (an activation '
                        'with inplace=True follows); tap that following module instead'
                    )


def tensors_of(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in a nest of lists, tuples, dicts and sparse tensors."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from tensors_of(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from tensors_of(entry)
    elif hasattr(value, 'features') and hasattr(value, 'indices'):
        yield value.features


def tapped_module(network: nn.Module, tap: Tap, where: str) -> nn.Module:
    """Return the module that a tap names.

    Raises:
        ConfigError: no such module; the nearest real paths are given.
    """
    modules = dict(network.named_modules())
    if tap.module not in modules:
        raise ConfigError(
            f'{where}: no module {tap.module!r} in {type(network).__name__}: {nearest(tap.module, modules)}'
        )
    return modules[tap.module]


@contextmanager
def record(
    network: nn.Module,
    taps: Iterable[Tap],
    name: str,
    expected: Mapping[str, int] | None = None,
    *,
    image_size: tuple[int, int] | None = None,
) -> Iterator[Recording]:
    """Record the tapped modules of a network while the block runs its forward.

    The modules' `forward` is wrapped, only inside the block: unlike hooks this also sees heads whose `forward` a
    detector calls directly, and copies and exports of the network never carry it.

    Args:
        network: the network, without a wrapper.
        taps: what will be taken.
        name: `'student'` or `'teacher'`, for messages.
        expected: calls of each tapped module in a forward. When given, the forward is left (silently, the block ends
            there) as soon as all have happened: a teacher need not run behind its last tap.
        image_size: height, width of the images that go in.
    """
    recording = Recording(name, image_size)
    missing = dict(expected or {})

    def forward(path: str, original: Callable[..., Any], *inputs: Any, **options: Any) -> Any:
        output = original(*inputs, **options)
        versions = {id(tensor): tensor._version for tensor in tensors_of([inputs, output]) if not tensor.is_inference()}
        recording.calls.setdefault(path, []).append(Call(inputs, output, versions))
        if missing:
            missing[path] -= 1
            if not any(missing.values()):
                raise Enough
        return output

    modules = {tap.module: tapped_module(network, tap, name) for tap in taps}
    own = {path: vars(module)['forward'] for path, module in modules.items() if 'forward' in vars(module)}
    for path, module in modules.items():
        vars(module)['forward'] = partial(forward, path, module.forward)
    try:
        yield recording
    except Enough:
        return
    finally:
        for path, module in modules.items():
            del vars(module)['forward']
            if path in own:
                vars(module)['forward'] = own[path]
