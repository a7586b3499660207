"""The JSON file beside an exported network: every constant that a runtime needs, checked when it is read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pointkd.core.errors import ConfigError, ExportError, nearest
from pointkd.core.files import sha256
from pointkd.runtime.anchors import Anchors
from pointkd.runtime.decode import DecodeSettings
from pointkd.runtime.voxelize import Voxelizer

FORMAT = 'pointkd-pillars'
VERSION = 1
SIDE_CAR = 'model.json'
MODEL = 'model.onnx'

Section = TypeVar('Section')


@dataclass(frozen=True)
class FileReference:
    """A file and its content.

    Attributes:
        file: name (of the model: beside the side-car).
        sha256: 64 hex digits.
    """

    file: str
    sha256: str


@dataclass(frozen=True)
class Profile:
    """Numbers of pillars that an engine is built for: the fewest, the usual, the most."""

    min: int
    opt: int
    max: int


@dataclass(frozen=True)
class SideCar:
    """Everything about an exported network but its weights.

    Attributes:
        model: the ONNX file.
        checkpoint: the weights it was made from.
        config: text of the training config, resolved.
        versions: version by package, of the export.
        opset: ONNX operator set.
        parameters: numbers that were trained.
        class_names: by label.
        voxels: how points become pillars.
        anchors: of the head.
        decode: how boxes are chosen.
        profile: numbers of pillars an engine is built for.
    """

    model: FileReference
    checkpoint: FileReference
    config: str
    versions: dict[str, str]
    opset: int
    parameters: int
    class_names: tuple[str, ...]
    voxels: Voxelizer
    anchors: Anchors
    decode: DecodeSettings
    profile: Profile
    format: str = field(default=FORMAT)
    version: int = field(default=VERSION)

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        content = dataclasses.asdict(self)
        return {key: content.pop(key) for key in ('format', 'version')} | content

    @classmethod
    def from_json(cls, content: Mapping[str, Any], where: str) -> SideCar:
        """Build from the content of a file.

        Args:
            content: parsed JSON.
            where: how messages call the file.

        Raises:
            ExportError: another format or version, a missing or unknown field, a value that makes no sense.
        """
        check_format(content, FORMAT, VERSION, where)
        sections: dict[str, type] = {
            'model': FileReference,
            'checkpoint': FileReference,
            'voxels': Voxelizer,
            'anchors': Anchors,
            'decode': DecodeSettings,
            'profile': Profile,
        }
        return read_sections(cls, sections, content, where)


def read_side_car(export_dir: str | Path) -> SideCar:
    """Read an export's side-car and check that the ONNX file beside it is the one it speaks of.

    Args:
        export_dir: folder that `pointkd export` wrote.

    Raises:
        ExportError: no export there, or what `SideCar.from_json` refuses, or another ONNX file.
    """
    content, where = read_content(export_dir)
    side_car = SideCar.from_json(content, where)
    check_model(export_dir, side_car.model)
    return side_car


def read_content(export_dir: str | Path) -> tuple[dict[str, Any], str]:
    """Return the content of an export's side-car, unchecked, and how messages call the file.

    Raises:
        ExportError: no export there, or no JSON object.
    """
    path = Path(export_dir) / SIDE_CAR
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise ExportError(
            f'{path}: can not be read ({error.strerror}); is {export_dir} made by `pointkd export`?'
        ) from error
    except ValueError as error:
        raise ExportError(f'{path}: is not JSON ({error}); export the network again') from error
    if not isinstance(content, dict):
        raise ExportError(f'{path}: expected a JSON object; export the network again')
    return content, str(path)


def check_format(content: Mapping[str, Any], name: str, version: int, where: str) -> None:
    """Raise unless a side-car has a format and a version."""
    if content.get('format') != name:
        raise ExportError(f"{where}: 'format' must be {name!r}, got {content.get('format')!r}")
    if content.get('version') != version:
        raise ExportError(
            f'{where}: version {content.get("version")!r} of the format, this pointkd reads version {version}; '
            'export the network again'
        )


def check_model(export_dir: str | Path, model: FileReference) -> None:
    """Raise unless the ONNX file of an export is the one that its side-car speaks of."""
    path = Path(export_dir) / model.file
    if not path.is_file():
        raise ExportError(f'{path}: missing; the folder must be copied whole')
    if sha256(path) != model.sha256:
        raise ExportError(f'{path}: is not the file that {SIDE_CAR} was written for (SHA-256 differs); export again')


def read_sections(kind: type[Section], sections: Mapping[str, type], content: Mapping[str, Any], where: str) -> Section:
    """Build a side-car from the content of a file, some of whose fields are dataclasses of their own.

    Raises:
        ExportError: a missing or unknown field, or a value that makes no sense.
    """
    values = {
        key: _section(sections[key], value, f'{where}: {key}.') if key in sections else _frozen(value)
        for key, value in content.items()
    }
    return _section(kind, values, f'{where}: ')


def _section(kind: type[Section], content: Any, where: str) -> Section:
    """Build a dataclass from a JSON object; lists become tuples."""
    if not isinstance(content, Mapping):
        raise ExportError(f'{where[:-1]}: expected an object, got {type(content).__name__}')
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in content:
        if key not in fields:
            raise ExportError(f'{where}{key}: unknown field: {nearest(key, fields)}')
    for key in fields:
        if key not in content:
            raise ExportError(f'{where}{key}: missing; export the network again')
    try:
        return kind(**{key: _frozen(value) for key, value in content.items()})
    except (TypeError, ValueError, ConfigError) as error:
        raise ExportError(f'{where[:-1]}: {error}') from error


def _frozen(value: Any) -> Any:
    """Turn lists, also nested ones, into tuples."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
