"""What a recipe of compression says: its stages, their settings, and the changes each makes to the config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mmengine.config import Config

from pointkd.core.errors import ConfigError, nearest

STAGES = ('sparse', 'pruned', 'fine_tuned', 'distilled', 'export')


@dataclass(frozen=True)
class Training:
    """A stage that trains.

    Attributes:
        options: changes `KEY=VALUE` to the config, as `--cfg-options` takes them.
        hook: settings of the `SparsityHook` (stage `sparse` only).
        methods: distillation methods (stage `distilled` only).
        seed: of order and augmentation.
        amp: mixed precision.
    """

    options: tuple[str, ...] = ()
    hook: Mapping[str, Any] = field(default_factory=dict)
    methods: tuple[Mapping[str, Any], ...] = ()
    seed: int = 0
    amp: bool = False


@dataclass(frozen=True)
class Pruning:
    """The stage that prunes: one target, and how channels are chosen; names as the options of `pointkd prune`."""

    ratio: float | None = None
    target_params: float | None = None
    target_macs: float | None = None
    target_latency: float | None = None
    importance: str = 'bn'
    scope: str = 'layer'
    multiple: int = 8
    keep: tuple[str, ...] = ()
    fold: bool = False
    input_size: tuple[int, int] | None = None
    runs: int = 20
    threads: int = 1


@dataclass(frozen=True)
class Export:
    """The stage that exports."""

    verify_data: str = 'synthetic'


@dataclass(frozen=True)
class Recipe:
    """All stages, in this order; None leaves one out, but pruning is always there.

    Attributes:
        sparse: sparsity training from the given weights.
        pruned: pruning.
        fine_tuned: training of the pruned network alone.
        distilled: training of the pruned network with the dense one as its teacher.
        export: of the last network.
        evaluate: whether every network is evaluated with the metrics of the config.
    """

    pruned: Pruning
    sparse: Training | None = None
    fine_tuned: Training | None = None
    distilled: Training | None = None
    export: Export | None = None
    evaluate: bool = True

    @classmethod
    def read(cls, path: str | Path) -> Recipe:
        """Read a recipe from a Python file with a dict for each stage.

        Raises:
            ConfigError: the file can't be read, or a key or value is wrong.
        """
        file = Path(path)
        if not file.is_file():
            raise ConfigError(f'{path}: no such recipe')
        try:
            content = Config.fromfile(file)._cfg_dict.to_dict()
        except (
            Exception,
            SystemExit,
        ) as error:  # a recipe is code: whatever it raises, the user must see which file did
            raise ConfigError(f'{path}: can not be read: {type(error).__name__}: {error}') from error
        return cls.parse(content, str(path))

    @classmethod
    def parse(cls, content: Mapping[str, Any], where: str = 'recipe') -> Recipe:
        """Read a recipe from nested dicts (errors as in `read`)."""
        kinds = {'sparse': Training, 'pruned': Pruning, 'fine_tuned': Training, 'distilled': Training, 'export': Export}
        known = {*kinds, 'evaluate'}
        for name in content:
            if name not in known:
                raise ConfigError(f'{where}: no stage {name!r}: {nearest(name, known)}')
        if 'pruned' not in content:
            raise ConfigError(f'{where}: has no stage `pruned`')
        parts = {
            name: _part(kind, content[name], f'{where}: {name}')
            for name, kind in kinds.items()
            if content.get(name) is not None
        }
        recipe = cls(**parts, evaluate=bool(content.get('evaluate', True)))
        if recipe.distilled is not None and not recipe.distilled.methods:
            raise ConfigError(f'{where}: distilled: has no methods')
        return recipe


def _part(kind: Any, settings: Any, where: str) -> Any:
    """Return the settings of one stage."""
    if not isinstance(settings, Mapping):
        raise ConfigError(f'{where}: expected a dict, got {settings!r}')
    names = {entry.name for entry in fields(kind)}
    for name in settings:
        if name not in names:
            raise ConfigError(f'{where}: no setting {name!r}: {nearest(name, names)}')
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()})
