"""Walking the nested dicts, lists and tuples of a config."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from mmengine.config import Config


def walk(node: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    """Yield every value below a node with its dotted path, parents before children.

    Example:
        >>> list(walk({'a': [1, {'b': 2}]}))
        [('a', [1, {'b': 2}]), ('a.0', 1), ('a.1', {'b': 2}), ('a.1.b', 2)]
    """
    for key, value in children(node):
        where = f'{path}.{key}' if path else str(key)
        yield where, value
        yield from walk(value, where)


def children(node: Any) -> list[tuple[str, Any]]:
    """Return the keys (or indices) and values of a config, dict, list or tuple; nothing for a leaf."""
    if isinstance(node, Mapping | Config):
        return [(str(key), value) for key, value in node.items()]
    if isinstance(node, list | tuple):
        return [(str(index), value) for index, value in enumerate(node)]
    return []


def dicts(node: Any, path: str = '') -> Iterator[tuple[str, MutableMapping[str, Any]]]:
    """Yield every dict of a tree with its dotted path, the root (path '') included."""
    if isinstance(node, MutableMapping | Config):  # a Config is no mapping, but behaves like one
        yield path, node
    for where, value in walk(node, path):
        if isinstance(value, MutableMapping):
            yield where, value


def map_strings(node: Any, change: Callable[[str], str]) -> Any:
    """Return a tree with every string replaced; dicts and lists are changed in place, tuples made new."""
    if isinstance(node, str):
        return change(node)
    if isinstance(node, MutableMapping):
        for key, value in list(node.items()):
            node[key] = map_strings(value, change)
    elif isinstance(node, list):
        node[:] = [map_strings(value, change) for value in node]
    elif isinstance(node, tuple) and type(node) is tuple:
        return tuple(map_strings(value, change) for value in node)
    return node
