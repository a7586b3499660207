"""`--cfg-options KEY=VALUE`: change keys of a loaded config, and refuse those that exist nowhere.

`KEY` is a dotted path, with numbers for list elements (`train_dataloader.dataset.pipeline.0.load_dim`). It must exist;
`+KEY` adds one that does not. `VALUE` is a Python literal (`3`, `1e-4`, `[1, 2]`, `None`, `dict(type='SGD')`), `true`
or `false`, numbers or words with commas (a list; in brackets a tuple), or a plain word.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from mmengine.config import ConfigDict

from pointkd.core.errors import ConfigError, nearest
from pointkd.io.blocks import is_read
from pointkd.io.tree import children, walk


def apply_options(config: dict[str, Any], options: Sequence[str]) -> None:
    """Change a config in place.

    Args:
        config: the config's dict.
        options: texts `KEY=VALUE` or `+KEY=VALUE`.

    Raises:
        ConfigError: no `=`, a key that exists nowhere (the nearest are named), or one that is a variable of the config
            file which nothing reads any more once the file has been loaded.
    """
    for option in options:
        key, equals, text = option.partition('=')
        if not equals or not key.strip('+ '):
            raise ConfigError(f'--cfg-options {option}: expected KEY=VALUE')
        _set(config, key.strip(), parse_value(text.strip()))


def parse_value(text: str) -> Any:
    """Return the value that an option's text stands for.

    Example:
        >>> parse_value('1e-4'), parse_value('true'), parse_value('16,24'), parse_value('(16,24)')
        (0.0001, True, [16, 24], (16, 24))
        >>> parse_value("dict(type='SGD', lr=0.1)")
        {'type': 'SGD', 'lr': 0.1}
    """
    words = {'true': True, 'false': False, 'none': None, 'null': None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        tree = ast.parse(text, mode='eval')
        value = ast.literal_eval(ast.fix_missing_locations(_DictCalls().visit(tree)))
        return list(value) if isinstance(value, tuple) and not text.startswith('(') else value
    except (ValueError, SyntaxError):
        pass
    if text.startswith('[') and text.endswith(']'):
        text = text[1:-1]
        return [parse_value(part.strip()) for part in text.split(',')]
    return [parse_value(part.strip()) for part in text.split(',')] if ',' in text else text


class _DictCalls(ast.NodeTransformer):
    """Rewrites `dict(a=1)` as `{'a': 1}`."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
            keys: list[ast.expr | None] = [ast.Constant(word.arg) for word in node.keywords]
            return ast.Dict(keys, [word.value for word in node.keywords])
        return node


def _set(config: dict[str, Any], key: str, value: Any) -> None:
    """Set one dotted key."""
    new, key = key.startswith('+'), key.lstrip('+')
    *parents, last = key.split('.')
    node: Any = config
    for number, name in enumerate(parents):
        if new and isinstance(node, dict) and name not in node:
            node[name] = ConfigDict()
        node = _child(config, node, key, number)
    if not new or not isinstance(node, dict):
        _child(config, node, key, len(parents))
    if not new:
        _check_read(config, key)
    node[int(last) if isinstance(node, list) else last] = _wrap(value)


def _child(config: dict[str, Any], node: Any, key: str, number: int) -> Any:
    """Return the child of a node that the `number`-th name of a dotted key stands for, or say which names there are."""
    names = key.split('.')
    name, known = names[number], dict(children(node))
    if name not in known:
        where = '.'.join(names[:number]) or 'the config'
        elsewhere = [found for found, _ in walk(config) if found.rpartition('.')[2] == name][:3]
        hint = f' (such a key stands at {", ".join(elsewhere)})' if elsewhere else ''
        raise ConfigError(
            f'--cfg-options {key}: {where} has no {name!r}: {nearest(name, known)}{hint}; write +{key}=... to add it'
        )
    return known[name]


def _check_read(config: dict[str, Any], key: str) -> None:
    """Refuse to change a variable that was only used while the file was read."""
    top = key.split('.')[0]
    if is_read(top):
        return
    users = [found for found, value in walk(config) if is_read(found.split('.')[0]) and _same(value, config[top])][:3]
    use = f'set {", ".join(users)} instead' if users else 'set the blocks that were made with it instead'
    also = ' (or use --data-root)' if top == 'data_root' else ''
    raise ConfigError(
        f'--cfg-options {key}: {top!r} is a variable of the config file, used while the file was read; changing it now '
        f'would change nothing: {use}{also}. Write +{key}=... if your own code reads it'
    )


def _same(first: Any, second: Any) -> bool:
    """Return whether two config values are equal and of one kind."""
    return type(first) is type(second) and first == second


def _wrap(value: Any) -> Any:
    """Return dicts as the config's own kind, so that attributes work."""
    if isinstance(value, dict):
        return ConfigDict({key: _wrap(child) for key, child in value.items()})
    return [_wrap(child) for child in value] if isinstance(value, list) else value
