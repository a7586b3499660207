"""Pretrained weights that a config takes from the network: find them, drop them, explain when they can't be fetched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pointkd.core.errors import CheckpointError
from pointkd.io.tree import dicts

SCHEMES = ('http', 'https', 'torchvision', 'open-mmlab', 'openmmlab', 'mmcls', 'modelzoo', 'pavi', 'huggingface')


def is_hub(value: Any) -> bool:
    """Return whether a config value names weights on the network.

    Example:
        >>> is_hub('torchvision://resnet18'), is_hub('weights/teacher.pth')
        (True, False)
    """
    return isinstance(value, str) and value.partition('://')[0] in SCHEMES and '://' in value


def hub_references(config: Any) -> dict[str, str]:
    """Return every weight file that building or training would fetch, by the dotted path of its key."""
    found: dict[str, str] = {}
    for path, block in dicts(config):
        for key in ('pretrained', 'load_from', 'checkpoint'):
            if is_hub(block.get(key)):
                found[f'{path}.{key}' if path else key] = block[key]
    return found


def drop_hub(config: Any) -> None:
    """Remove every `init_cfg`, `pretrained` and `load_from` that takes weights from the network, in place."""
    for _, block in list(dicts(config)):
        for key in ('pretrained', 'load_from'):
            if is_hub(block.get(key)):
                block[key] = None
        init = block.get('init_cfg')
        if isinstance(init, list):
            init[:] = [entry for entry in init if not _fetches(entry)]
        if _fetches(init) or init == []:
            del block['init_cfg']


@contextmanager
def explained_downloads(config: Any) -> Iterator[None]:
    """Turn a failure to fetch weights that the config asks for into an error that names the way out.

    Raises:
        CheckpointError: the block failed in a way that a missing network (or torchvision) causes, and the config has
            references to the network.
    """
    try:
        yield
    except (OSError, ImportError, RuntimeError, ValueError) as error:
        references = hub_references(config)
        if not references or not _from_network(error):
            raise
        names = ', '.join(f'{path} = {value}' for path, value in references.items())
        raise CheckpointError(
            f'pretrained weights can not be fetched ({type(error).__name__}: {error}). The config asks for {names}: '
            'run with --no-pretrained, or set these keys to local files with --cfg-options'
        ) from error


def _fetches(init: Any) -> bool:
    """Return whether one `init_cfg` entry takes its weights from the network."""
    return isinstance(init, dict) and is_hub(init.get('checkpoint'))


def _from_network(error: BaseException | None) -> bool:
    """Return whether an error, or what caused it, comes from fetching."""
    while error is not None:
        module = type(error).__module__.partition('.')[0]
        if module in ('urllib', 'http', 'requests', 'socket', 'ssl') or isinstance(
            error, ConnectionError | TimeoutError
        ):
            return True
        if isinstance(error, ImportError) and 'torchvision' in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
