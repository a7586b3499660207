"""Moving a stock config to another data folder: every path under its data root is rewritten."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any

from pointkd.core.errors import ConfigError
from pointkd.io.tree import map_strings, walk


def rewrite_data_root(config: Any, folder: str | Path) -> None:
    """Point a config at a data folder, in place.

    Every string that lies under a `data_root` of the config is changed, wherever it stands: datasets inside wrappers,
    prefixes, annotation files, the database of a ground-truth sampler, evaluators. Where a config has several roots,
    one must contain the others, and it becomes `folder`.

    Args:
        config: config or dict.
        folder: existing folder that takes the place of the root.

    Raises:
        ConfigError: the folder does not exist, the config has no root, or roots that no single folder replaces.
    """
    target = Path(folder).expanduser()
    if not target.is_dir():
        raise ConfigError(f'--data-root {folder}: no such folder')
    root = _common_root(data_roots(config))
    prefix = target.resolve().as_posix()

    def moved(text: str) -> str:
        inside = _below(text, root)
        if inside is None:
            return text
        slash = '/' if text.endswith('/') else ''
        return (f'{prefix}/{inside}' if inside else prefix) + slash

    map_strings(config, moved)


def data_roots(config: Any) -> list[str]:
    """Return the different values of `data_root` in a config, normalised, sorted."""
    values = {value for path, value in walk(config) if path.rpartition('.')[2] == 'data_root'}
    return sorted(_normal(value) for value in values if isinstance(value, str) and value)


def _common_root(roots: list[str]) -> str:
    """Return the root that contains all the others."""
    if not roots:
        raise ConfigError('--data-root: the config has no `data_root` to replace; set its paths with --cfg-options')
    top = min(roots, key=len)
    apart = [root for root in roots if _below(root, top) is None]
    if apart:
        raise ConfigError(
            f'--data-root: the config reads several data sets ({", ".join(roots)}), one folder can not replace them; '
            'set their `data_root` with --cfg-options'
        )
    return top


def _below(text: str, root: str) -> str | None:
    """Return the part of a path after a root ('' for the root itself), None where it lies elsewhere."""
    path = _normal(text)
    if path == root:
        return ''
    return path[len(root) + 1 :] if path.startswith(root + '/') else None


def _normal(path: str) -> str:
    """Return a path without `./`, doubled or trailing slashes; a text with a scheme stays as it is."""
    return path if '://' in path or not path else posixpath.normpath(path)
