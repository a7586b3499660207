"""What the installed packages' errors mean to the user of a config."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pointkd.core.errors import ConfigError, DataError
from pointkd.io.build import explain_build_error

# What registries say of an unknown type, and constructors of a setting that is unknown or missing.
FROM_CONFIG = ('is not in the', '__init__() got an unexpected keyword argument', '__init__() missing')


@contextmanager
def explained_failures(scope: str) -> Iterator[None]:
    """Turn what a wrong path or type in a config leads to into one sentence with a way out.

    Args:
        scope: package in which the config's types are looked up.

    Raises:
        DataError: a file that the config names is missing.
        ConfigError: a type of it is not registered, or a setting of it is unknown or missing.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(
            f'{error.filename or error}: no such file. Point the config at your data with --data-root, and make its '
            'index files with `pointkd create-data`'
        ) from error
    except (KeyError, TypeError) as error:
        if not any(phrase in str(error) for phrase in FROM_CONFIG):
            raise
        raise ConfigError(f'config: {explain_build_error(error, scope)}') from error
