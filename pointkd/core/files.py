"""Writing files so that a reader finds the old content or the new, never half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pointkd.core.errors import StorageError


@contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Open a binary file that takes its name only when the block ends without an error.

    The content goes to a temporary file beside the target, is flushed to disk and renamed. On any error the temporary
    file is removed and the target stays as it was.

    Args:
        path: target file; its folder is created.

    Raises:
        StorageError: the disk is full, or the place can't be written.
    """
    target = Path(path)
    temporary = target.with_name(f'.{target.name}.{os.getpid()}.tmp')
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise _storage_error(target, error) from error
    finally:
        with suppress(OSError):  # an error here would hide the one that matters
            temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file atomically (see `atomic_write`)."""
    with atomic_write(path) as file:
        file.write(text.encode('utf-8'))


def write_json(path: str | Path, content: object) -> None:
    """Write a JSON file atomically, indented, NaN refused (use None)."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + '\n')


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def _storage_error(target: Path, error: OSError) -> StorageError:
    """Say what went wrong with a target in one sentence."""
    if isinstance(error, StorageError):
        return error
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f'{target}: the disk is full; nothing was overwritten. Free some space and run again')
    reason = error.strerror or str(error)
    return StorageError(f'{target}: could not be written ({reason}); nothing was overwritten')
