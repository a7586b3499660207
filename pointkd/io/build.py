"""Makes the installed packages ready, and builds the network that a config describes."""

from __future__ import annotations

import inspect
import re
import warnings
from pathlib import Path
from typing import Any

import mmengine.registry
import numpy as np
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope, Registry
from torch import nn

import pointkd.ops.sparse
import pointkd.ops.standin
from pointkd.core.errors import ConfigError, PointKDError, nearest
from pointkd.io.checkpoints import load_weights
from pointkd.io.plan import Plan, apply_plan
from pointkd.io.safe import allow_log_history

# Warnings of the packages about their own code, which no user of a stock config can do anything about.
NOISE = (
    'dir_offset and dir_limit_offset will be depressed',
    'torch.meshgrid: in an upcoming release',
    'DeprecationWarning: pos_bboxes is deprecated',
    '``build_loss`` would be deprecated',
    'Default ``avg_non_ignore`` is False',
    'Converting a tensor with requires_grad=True to a scalar',
)
SCOPE = 'mmdet3d'  # where a config without `default_scope` is looked up


def prepare() -> None:
    """Make mmcv's kernels, sparse convolutions and mmengine's checkpoints work on this machine.

    Comes before anything imports `mmcv.ops` or an OpenMMLab package; `import pointkd.engine` does it. Safe to call any
    number of times. The packages' modules register themselves when a config first names their scope.
    """
    pointkd.ops.standin.install()
    pointkd.ops.sparse.prepare()
    allow_log_history()
    for message in NOISE:
        warnings.filterwarnings('ignore', message=message)
    if 'long' not in vars(np):  # numpy 1.24 dropped the name, mmdet3d's ground-truth sampler still writes `np.long`
        np.long = np.int64  # type: ignore[attr-defined]


def build_model(
    config: Config | ConfigDict | dict[str, Any], checkpoint: str | Path | None = None, device: str = 'cpu'
) -> nn.Module:
    """Return the network of a config in evaluation mode, nothing fetched from the network.

    Args:
        config: a whole config, or its `model`.
        checkpoint: weights to load, exactly; None leaves the random ones of the constructor.
        device: where it is put.

    Raises:
        ConfigError: no `model`, or a type or setting of it is wrong.
        CheckpointError: the weights can't be read or belong to another network.
    """
    prepare()
    network = build_module(model_config(config), scope_of(config))
    if checkpoint is not None:
        load_weights(network, checkpoint)
    return network.to(device).eval()


def model_config(config: Config | ConfigDict | dict[str, Any]) -> Any:
    """Return the `model` block of a config, or the block itself."""
    block = config if 'type' in config else config.get('model')
    if not isinstance(block, dict) or 'type' not in block:
        raise ConfigError('the config has no `model` with a `type`')
    return block


def scope_of(config: Config | ConfigDict | dict[str, Any]) -> str:
    """Return the package in which a config's type names are looked up: its scope, else the prefix of the net's type."""
    package, _, kind = str(model_config(config)['type']).partition('.')
    return config.get('_scope_') or config.get('default_scope') or (package if kind else SCOPE)


def build_module(block: Any, scope: str) -> nn.Module:
    """Build a network from its block; a `plan` in it cuts the network as pruning decided.

    Raises:
        ConfigError: a type is not registered (the nearest names are given), a constructor refuses a setting, or the
            plan was made for another network.
    """
    settings = ConfigDict(block)
    plan = settings.pop('plan', None)
    with DefaultScope.overwrite_default_scope(scope):
        try:
            network = MODELS.build(settings)
            if plan is not None:
                apply_plan(network, Plan.parse(plan))
            return network
        except PointKDError:
            raise
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            raise ConfigError(f'model: {explain_build_error(error, scope)}') from error


def explain_build_error(error: Exception, scope: str) -> str:
    """Return what a registry's or constructor's error means, with the nearest names for a misspelt type or setting."""
    text = str(error.args[0]) if error.args else str(error)
    unknown_type = re.match(r'(.+) is not in the .*::(.+) registry', text)
    if isinstance(error, KeyError) and unknown_type:
        name, kind = unknown_type.groups()
        known = {word for root in _registries(kind) for word in _registered(root, scope)}
        return f'no {kind} of type {name!r} in {scope}: {nearest(name, known)}'
    unknown_key = re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", text)
    if isinstance(error, TypeError) and unknown_key:
        owner, key = unknown_key.groups()
        return f'{owner} has no setting {key!r}: {nearest(key, _settings_of(owner, scope))}'
    return f'{type(error).__name__}: {text}'


def _registries(kind: str | None = None) -> list[Registry]:
    """Return mmengine's root registries, or those of one kind."""
    roots = [entry for entry in vars(mmengine.registry).values() if isinstance(entry, Registry)]
    return [root for root in roots if kind in (None, root.name)]


def _registered(root: Registry, scope: str) -> dict[str, Any]:
    """Return what is registered under a root in a scope."""
    with root.switch_scope_and_registry(scope) as registry:
        return {**root.module_dict, **registry.module_dict}


def _settings_of(owner: str, scope: str) -> set[str]:
    """Return the names of the constructor arguments of a registered class and its bases."""
    kinds = [kind for root in _registries() for kind in _registered(root, scope).values()]
    owners = [kind for kind in kinds if isinstance(kind, type) and any(base.__name__ == owner for base in kind.__mro__)]
    constructors = [vars(base)['__init__'] for kind in owners[:1] for base in kind.__mro__ if '__init__' in vars(base)]
    names = {name for constructor in constructors for name in inspect.signature(constructor).parameters}
    return names - {'self', 'args', 'kwargs', 'runner', 'settings'}
