"""Reads a config file: ours, or a stock one of mmdet, mmdet3d or mmseg, unchanged."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.fileio import load
from mmengine.utils import get_installed_path

from pointkd.core.errors import ConfigError, nearest
from pointkd.io.blocks import check_names
from pointkd.io.hub import drop_hub
from pointkd.io.options import apply_options
from pointkd.io.roots import rewrite_data_root

SUFFIXES = ('.py', '.yaml', '.yml', '.json')

# mmengine finds installed packages through it; setuptools is pinned to a version that has it.
warnings.filterwarnings('ignore', message='pkg_resources is deprecated', category=UserWarning)


def load_config(
    path: str | Path, *, data_root: str | None = None, pretrained: bool = True, options: Sequence[str] = ()
) -> Config:
    """Return a config file with its bases merged and the command line's changes made.

    Args:
        path: config file; `mmdet3d::pointpillars/….py` names one inside an installed package, and so may its `_base_`.
        data_root: folder that takes the place of the config's data root, everywhere (see `rewrite_data_root`).
        pretrained: False drops all weights that would come from the network (see `drop_hub`).
        options: changes `KEY=VALUE` (see `pointkd.io.options`), made last.

    Returns:
        The config; `filename` is the file's absolute path.

    Raises:
        ConfigError: a file, base, key or block name is wrong; the message names the nearest right ones.
    """
    file = find_config(path)
    _check_bases(file)
    try:
        config = Config.fromfile(file)
    except (Exception, SystemExit) as error:  # a config is code: whatever it raises, the user must see which file did
        raise ConfigError(f'{file}: can not be read: {type(error).__name__}: {error}') from error
    check_names(config._cfg_dict, str(file))
    content = config._cfg_dict
    if data_root is not None:
        rewrite_data_root(content, data_root)
    if not pretrained:
        drop_hub(content)
    apply_options(content, options)
    check_names(content, '--cfg-options')
    return config


def find_config(path: str | Path, beside: Path | None = None) -> Path:
    """Return the absolute path of a config file.

    Args:
        path: file, or `package::file` inside an installed OpenMMLab package.
        beside: file whose folder a relative path starts from (a base is given relative to its user).

    Raises:
        ConfigError: it does not exist; the nearest names of its folder are given.
    """
    text = str(path)
    if '::' in text:
        package, _, inside = text.partition('::')
        file = package_configs(package, text) / inside
    else:
        file = Path(text).expanduser()
        file = file if file.is_absolute() or beside is None else beside.parent / file
    if file.is_dir():
        raise ConfigError(f'{file}: is a folder, expected a config file')
    where = f'{beside}: _base_ ' if beside else ''
    if not file.is_file():
        raise ConfigError(f'{where}{text}: no such config file{_neighbours(file)}')
    if file.suffix not in SUFFIXES:
        raise ConfigError(f'{where}{text}: a config ends with one of {", ".join(SUFFIXES)}')
    return file.resolve()


def package_configs(package: str, where: str) -> Path:
    """Return the folder of the stock configs of an installed package (`mmdet3d`).

    Raises:
        ConfigError: no such package, or it ships no configs.
    """
    try:
        folder = Path(get_installed_path(package)) / '.mim' / 'configs'
    except Exception as error:  # mmengine lets through what importlib and pkg_resources raise
        raise ConfigError(f'{where}: package {package!r} is not installed ({error})') from error
    if not folder.is_dir():
        raise ConfigError(f'{where}: package {package!r} ships no configs')
    return folder


def _neighbours(file: Path) -> str:
    """Return a phrase with the nearest files of a folder, or the folder that is missing."""
    folder = file.parent
    if not folder.is_dir():
        return f' (the folder {folder} does not exist)'
    names = [entry.name for entry in folder.iterdir() if entry.suffix in SUFFIXES]
    return f': {nearest(file.name, names)}' if names else f' ({folder} has no config files)'


def _check_bases(file: Path, seen: tuple[Path, ...] = ()) -> None:
    """Raise where a base of a config, or a base of a base, does not exist."""
    if file in seen:
        raise ConfigError(f'{file}: is its own _base_ (through {seen[-1]})')
    for base in _bases(file):
        _check_bases(find_config(base, beside=file), (*seen, file))


def _bases(file: Path) -> list[str]:
    """Return what a config file gives as `_base_`.

    Raises:
        ConfigError: it is not a name or a list of names, or the file is not what its ending says.
    """
    base: Any = None
    if file.suffix == '.py':
        for node in _parse(file).body:
            if isinstance(node, ast.Assign) and any(getattr(name, 'id', '') == '_base_' for name in node.targets):
                base = _literal(node.value)
    else:
        try:
            content = load(str(file))
        except Exception as error:  # whatever the parser of yaml or json raises
            raise ConfigError(f'{file}: is not valid {file.suffix[1:]} ({error})') from error
        base = content.get('_base_') if isinstance(content, dict) else None
    names = [base] if isinstance(base, str) else base or []
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f'{file}: _base_ must be the name of a config file or a list of names, got {base!r}')
    return list(names)


def _parse(file: Path) -> ast.Module:
    """Return the syntax tree of a Python config."""
    try:
        return ast.parse(file.read_text(encoding='utf-8'))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # zero bytes, nesting without end
        line = f':{error.lineno}' if isinstance(error, SyntaxError) else ''
        raise ConfigError(f'{file}{line}: is not valid Python ({error})') from error


def _literal(node: ast.expr) -> Any:
    """Return a literal's value, None where it is computed (mmengine then says what it thinks of it)."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
