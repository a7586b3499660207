"""Reads checkpoints that hold pickled module objects of packages that are not here: tensors only, no code is run.

A file of `torch.save` is a zip archive with one pickle and one entry a tensor storage. The pickle is read by an
unpickler that knows a closed list of names: it builds tensors and plain containers itself, and puts an inert `Record`
in the place of every instance of a network's class. Any other name is refused.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pointkd.core.errors import CheckpointError

PICKLE_LIMIT = 64 * 2**20  # bytes; a net has a few hundred kilobytes of it
DTYPES = {
    'DoubleStorage': torch.float64,
    'FloatStorage': torch.float32,
    'HalfStorage': torch.float16,
    'BFloat16Storage': torch.bfloat16,
    'LongStorage': torch.int64,
    'IntStorage': torch.int32,
    'ShortStorage': torch.int16,
    'CharStorage': torch.int8,
    'ByteStorage': torch.uint8,
    'BoolStorage': torch.bool,
}
# Packages whose classes make up a network, and harmless values that trainers note beside one: all become records.
NETWORKS = ('torch.nn.', 'ultralytics.')
NOTES = {
    ('_codecs', 'encode'),
    ('datetime', 'datetime'),
    ('numpy', 'dtype'),
    ('numpy._core.multiarray', 'scalar'),
    ('numpy.core.multiarray', 'scalar'),
    ('pathlib', 'Path'),
    ('pathlib', 'PosixPath'),
    ('pathlib', 'WindowsPath'),
    ('torch', 'device'),
    ('types', 'SimpleNamespace'),
}


class Record:
    """An instance of a class that is not here: what was stored of it, and no behaviour.

    Attributes:
        kind: the class's full name.
        state: what the instance held, by attribute.
    """

    kind = ''
    state: Mapping[str, Any] = {}

    def __init__(self, *_: Any, **__: Any) -> None:
        """Take what the class would take, and do nothing with it."""

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, Mapping) else {'state': state}


class _Storage(NamedTuple):
    """A kind of storage, as the pickle names it."""

    dtype: torch.dtype


def read_foreign(path: str | Path) -> Any:
    """Return the content of a checkpoint with tensors on the CPU and records in the place of objects.

    Args:
        path: file of `torch.save` (torch 1.6 or later).

    Returns:
        What was saved: dicts, lists, tuples, texts, numbers, tensors, `Record`s.

    Raises:
        CheckpointError: missing, truncated or no such file, or it names something that no checkpoint of a net needs
            (which could run code).
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f'{path}: no such checkpoint')
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path)
    except CheckpointError:
        raise
    except zipfile.BadZipFile as error:
        raise CheckpointError(
            f'{path}: is truncated or no file of torch.save since version 1.6 ({error}); save it again with a new torch'
        ) from error
    except Exception as error:  # a broken pickle leads its reader to any error
        raise CheckpointError(f'{path}: is broken ({type(error).__name__}: {str(error)[:150]})') from error


def module_tensors(module: Any, prefix: str = '') -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters and buffers of a recorded module with their dotted names, as its state dict would have.

    Args:
        module: `Record` of a module, or a state dict.
        prefix: put before every name.

    Raises:
        CheckpointError: it is neither.
    """
    if isinstance(module, Mapping):
        if not all(isinstance(value, Tensor) for value in module.values()):
            raise CheckpointError('expected a network or a state dict, found a dict of other things')
        yield from ((prefix + name, value) for name, value in module.items())
        return
    if not isinstance(module, Record):
        raise CheckpointError(f'expected a network or a state dict, found {type(module).__name__}')
    skipped = module.state.get('_non_persistent_buffers_set') or ()
    for group in ('_parameters', '_buffers'):
        for name, value in (module.state.get(group) or {}).items():
            if isinstance(value, Tensor) and name not in skipped:
                yield f'{prefix}{name}', value
    for name, child in (module.state.get('_modules') or {}).items():
        if child is not None:
            yield from module_tensors(child, f'{prefix}{name}.')


def _read(archive: zipfile.ZipFile, path: Path) -> Any:
    """Return the content of an open archive."""
    pickles = [entry for entry in archive.infolist() if PurePosixPath(entry.filename).name == 'data.pkl']
    if len(pickles) != 1:
        raise CheckpointError(
            f'{path}: is no file of torch.save (it has {len(pickles)} entries data.pkl, expected one)'
        )
    folder = pickles[0].filename.removesuffix('data.pkl')
    names = set(archive.namelist())
    if f'{folder}byteorder' in names and _entry(archive, f'{folder}byteorder', path, 16) != b'little':
        raise CheckpointError(f'{path}: was written on a big-endian machine, which is not supported')
    return _Reader(archive, folder, path, _entry(archive, pickles[0].filename, path, PICKLE_LIMIT)).load()


def _entry(archive: zipfile.ZipFile, name: str, path: Path, limit: int) -> bytes:
    """Return an entry of the archive, which torch never compresses."""
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise CheckpointError(f'{path}: is truncated, it lacks {name}') from None
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > limit:
        raise CheckpointError(f'{path}: {name} is compressed or larger than it may be ({entry.file_size} bytes)')
    return archive.read(entry)


class _Reader(pickle.Unpickler):
    """An unpickler that builds tensors, containers and records, and refuses every other name."""

    def __init__(self, archive: zipfile.ZipFile, folder: str, path: Path, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self.archive, self.folder, self.path = archive, folder, path
        self.storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name of the pickle stands for."""
        module = {'__builtin__': 'builtins'}.get(module, module)
        known = _KNOWN.get((module, name))
        if known is not None:
            return known
        if module == 'torch' and name in DTYPES:
            return _Storage(DTYPES[name])
        if module == 'torch' and isinstance(vars(torch).get(name), torch.dtype):
            return vars(torch)[name]
        if (module, name) in NOTES or f'{module}.'.startswith(NETWORKS):
            return type('Record', (Record,), {'kind': f'{module}.{name}'})
        raise CheckpointError(
            f'{self.path}: refused: it names {module}.{name}, which no checkpoint of a network needs and which could '
            'run code'
        )

    def persistent_load(self, pid: Any) -> Tensor:
        """Return the flat tensor of a storage."""
        kind, storage, key, _, count = pid
        if kind != 'storage' or not isinstance(storage, _Storage) or not str(key).isdigit():
            raise CheckpointError(f'{self.path}: has a reference of an unknown kind')
        if key not in self.storages:
            size = int(count) * storage.dtype.itemsize
            content = _entry(self.archive, f'{self.folder}data/{key}', self.path, size)
            if len(content) != size:
                raise CheckpointError(f'{self.path}: data/{key} has {len(content)} bytes, expected {size}')
            empty = torch.empty(0, dtype=storage.dtype)
            self.storages[key] = torch.frombuffer(bytearray(content), dtype=storage.dtype) if size else empty
        return self.storages[key]


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """Build a tensor from its storage; torch checks that it lies within."""
    if not isinstance(storage, Tensor) or min([0, offset, *size, *stride]) < 0:
        raise ValueError('a tensor without a storage, or of negative size')
    if math.prod(size) > storage.numel():
        raise ValueError('a tensor larger than its storage')
    return torch.as_strided(storage, tuple(size), tuple(stride), offset).clone()


def _parameter(tensor: Any, *_: Any) -> Tensor:
    """Build a parameter: its tensor."""
    if not isinstance(tensor, Tensor):
        raise ValueError('a parameter without a tensor')
    return tensor


_KNOWN: dict[tuple[str, str], Any] = {
    ('collections', 'OrderedDict'): OrderedDict,
    ('builtins', 'set'): set,
    ('builtins', 'frozenset'): frozenset,
    ('torch', 'Size'): tuple,
    ('torch._utils', '_rebuild_tensor_v2'): _tensor,
    ('torch._utils', '_rebuild_parameter'): _parameter,
}
