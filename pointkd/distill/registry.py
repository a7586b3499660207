"""Registries of the distillation room, and strict building: a misspelt key is an error that names the nearest one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.registry import Registry

from pointkd.core.errors import ConfigError, nearest

METHODS = Registry('distillation method', locations=['pointkd.distill.methods'], scope='pointkd')
SCHEDULES = Registry('distillation schedule', locations=['pointkd.distill.schedules'], scope='pointkd')
CONNECTORS = Registry('distillation connector', locations=['pointkd.distill.connectors'], scope='pointkd')


def registered(registry: Registry, name: str, where: str) -> Any:
    """Return the class registered under a name.

    Raises:
        ConfigError: nothing of that name; the nearest names are given.
    """
    registry.import_from_location()
    if name not in registry.module_dict:
        raise ConfigError(f'{where}: no {registry.name} {name!r}: {nearest(name, registry.module_dict)}')
    return registry.module_dict[name]


def settings_of(kind: Any) -> dict[str, inspect.Parameter]:
    """Return the named constructor parameters of a class."""
    return {
        name: parameter
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }


def build_strict(registry: Registry, config: Mapping[str, Any], where: str, **provided: Any) -> Any:
    """Build an object from its config block, refusing keys that its constructor does not name.

    Args:
        registry: where the class is looked up.
        config: block with `type`; its other keys are constructor arguments.
        where: config path for the message (`distill.methods[0]`).
        provided: arguments that the caller supplies and the block may not set.

    Raises:
        ConfigError: no `type`, an unknown class or key, a missing required key, or a refused value.
    """
    if not isinstance(config, Mapping) or 'type' not in config:
        raise ConfigError(f'{where}: expected a dict with `type`, got {config!r}')
    settings = {key: value for key, value in config.items() if key != 'type'}
    kind = registered(registry, config['type'], where)
    parameters = settings_of(kind)
    allowed = [name for name in parameters if name not in provided]
    for key in settings:
        if key not in allowed:
            raise ConfigError(f'{where}: {config["type"]} has no setting {key!r}: {nearest(key, allowed)}')
    for name in allowed:
        if parameters[name].default is inspect.Parameter.empty and name not in settings:
            raise ConfigError(f'{where}: {config["type"]} needs the setting {name!r}')
    try:
        return kind(**settings, **{name: value for name, value in provided.items() if name in parameters})
    except (TypeError, ValueError) as error:
        raise ConfigError(f'{where}: {config["type"]}: {error}') from error
