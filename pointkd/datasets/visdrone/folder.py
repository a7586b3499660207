"""Where the files of a data set in VisDrone-DET layout lie, and which images belong to which part."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pointkd.core.errors import ConfigError, DataError, nearest
from pointkd.core.images import ENDINGS

WHOLE = 'all'  # name of the part where the root itself holds images/
_PREFIX = 'DET-'  # official folders are called VisDrone2019-DET-train and so on


@dataclass(frozen=True)
class Task:
    """An image to check or convert.

    Attributes:
        part: name of its part.
        stem: its name.
        image: its file, None where there is none.
        label: where its label file should be, None in parts without labels.
    """

    part: str
    stem: str
    image: Path | None
    label: Path | None


@dataclass(frozen=True)
class Part:
    """A part of a data set: a folder with `images/` and, unless it is a challenge, `annotations/`.

    Attributes:
        name: `train`, `val`, `test-dev` ..., or that of a list.
        folder: holds images/ and annotations/.
        stems: names of the images in alphabetical order, or those of a list.
        images: path of each image that is there, by stem.
        labelled: whether there is a folder of annotations.
    """

    name: str
    folder: Path
    stems: tuple[str, ...]
    images: Mapping[str, Path]
    labelled: bool

    def task(self, stem: str) -> Task:
        """Return one of its images as something to work on."""
        label = self.folder / 'annotations' / f'{stem}.txt' if self.labelled else None
        return Task(self.name, stem, self.images.get(stem), label)


def find_parts(
    root: str | Path, names: Sequence[str] = (), lists: Mapping[str, str | Path] | None = None
) -> list[Part]:
    """Return the parts of a data set.

    Args:
        root: holds `VisDrone2019-DET-train/` and others (or `train/`, `val/`), each with images/ and annotations/; or
            itself holds images/ and annotations/, which is then the one part `all`.
        names: parts that are wanted; default all.
        lists: cuts the one part `all` into parts: a text file of stems, one a line, for each.

    Raises:
        DataError: there is no such layout, a list can't be read or names an image that is not there.
        ConfigError: an unknown part is asked for, or lists are given for a data set that has parts already.
    """
    root = Path(root)
    folders = _part_folders(root)
    if not folders:
        raise DataError(
            f'{root}: no data in VisDrone layout: expected images/ and annotations/ in it, or in folders of it '
            'that are named like VisDrone2019-DET-train'
        )
    if lists:
        if list(folders) != [WHOLE]:
            raise ConfigError(f'--lists: {root} has parts of its own ({", ".join(folders)}); lists cut one folder only')
        whole = _read_part(WHOLE, root)
        parts = {name: _listed_part(name, whole, Path(path)) for name, path in lists.items()}
    else:
        parts = {name: _read_part(name, folder) for name, folder in folders.items()}
    for name in names:
        if name not in parts:
            raise ConfigError(f'--parts: no part {name!r} in {root}: {nearest(name, parts)}')
    return [parts[name] for name in names or parts]


def read_stems(path: str | Path) -> list[str]:
    """Read names of images, one a line, with or without ending.

    Raises:
        DataError: the file can't be read, names no image, or one twice.
    """
    try:
        lines = [line.strip() for line in Path(path).read_text(encoding='utf-8').splitlines() if line.strip()]
    except OSError as error:
        raise DataError(f'{path}: can not be read ({error.strerror})') from error
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: is not a text file ({error.reason})') from error
    stems = [Path(line).stem if line.lower().endswith(ENDINGS) else line for line in lines]
    if not stems:
        raise DataError(f'{path}: names no image (expected one a line)')
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise DataError(f'{path}: names {twice[0]} twice')
    return stems


def _part_folders(root: Path) -> dict[str, Path]:
    """Return the folder of each part by its name."""
    if (root / 'images').is_dir():
        return {WHOLE: root}
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        raise DataError(f'{root}: the folder can not be read ({error.strerror})') from error
    return {path.name.rpartition(_PREFIX)[2]: path for path in entries if (path / 'images').is_dir()}


def _read_part(name: str, folder: Path) -> Part:
    """Return the part that a folder holds: every image and every label file counts."""
    images = {
        Path(entry).stem: folder / 'images' / entry
        for entry in sorted(os.listdir(folder / 'images'))
        if entry.lower().endswith(ENDINGS) and not entry.startswith('.')
    }
    annotations = folder / 'annotations'
    labels = {path.stem for path in annotations.glob('*.txt') if not path.name.startswith('.')}
    stems = tuple(sorted(set(images) | labels))
    if not stems:
        raise DataError(f'{folder}: images/ and annotations/ are empty')
    return Part(name, folder, stems, images, annotations.is_dir())


def _listed_part(name: str, whole: Part, path: Path) -> Part:
    """Return the images of a list as a part."""
    stems = read_stems(path)
    unknown = sorted(set(stems) - set(whole.stems))
    if unknown:
        raise DataError(f'{path}: {len(unknown)} of its images are not in {whole.folder}, first {unknown[0]}')
    return Part(name, whole.folder, tuple(stems), whole.images, whole.labelled)
