"""The `distill` block of a config, checked key by key."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointkd.core.errors import ConfigError, nearest


@dataclass(frozen=True)
class TeacherConfig:
    """`distill.teacher`.

    Attributes:
        config: path of the teacher's config; relative to the student's config file, else to the working directory.
            `package::file` names a stock one, `mmdet::retinanet/retinanet_r101_fpn_1x_coco.py`.
        checkpoint: path of its weights, looked for in the same places.
        options: overrides for its config, as `--cfg-options`.
        allow_other_classes: accept a class list that differs from the student's (for features only).
        check_ap: evaluate the teacher on the validation set before the first step, and log the result.
        metric: name of the metric that `min_ap` speaks of.
        min_ap: stop when the teacher scores less (implies `check_ap`).
    """

    config: str
    checkpoint: str
    options: list[str] = field(default_factory=list)
    allow_other_classes: bool = False
    check_ap: bool = False
    metric: str | None = None
    min_ap: float | None = None


@dataclass(frozen=True)
class TermConfig:
    """What the Distiller itself reads of an entry of `distill.methods`; the other keys are the method's settings.

    Attributes:
        type: name of the method.
        student: tap in the student (methods with taps).
        teacher: tap in the teacher; default: the same path.
        weight: fixed factor (default 1 where no share is given).
        share: instead of `weight`, the wanted ratio of gradient norms to the task loss at the tapped feature.
        schedule: factor over time, default constant.
        levels: where the tap names a list of maps, a weight for each, 0 to leave one out: the term is then their
            weighted sum. By default it is the mean of all.
        connector: how the student's width becomes the teacher's; default a 1x1 projection where they differ.
        name: of the term in logs; default the method's name in snake case.
    """

    type: str
    student: str | None = None
    teacher: str | None = None
    weight: float | None = None
    share: float | None = None
    schedule: Mapping[str, Any] = field(default_factory=lambda: dict(type='Constant'))
    levels: list[float] | None = None
    connector: Mapping[str, Any] | None = None
    name: str | None = None

    @classmethod
    def keys(cls) -> set[str]:
        """Return the names of these keys."""
        return {entry.name for entry in dataclasses.fields(cls)}


@dataclass(frozen=True)
class DistillConfig:
    """The whole block.

    Attributes:
        teacher: the `teacher` block, None where there are no methods.
        methods: entries as dicts.
        seed: of adapters and frozen projections; apart from the student's seed, so that every arm starts alike.
    """

    teacher: TeacherConfig | None
    methods: list[dict[str, Any]]
    seed: int = 0

    @classmethod
    def parse(cls, block: Mapping[str, Any]) -> DistillConfig:
        """Read the block.

        Raises:
            ConfigError: an unknown or missing key, or methods without a teacher.
        """
        known(block, {'teacher', 'methods', 'seed'}, 'distill')
        methods = [dict(entry) for entry in block.get('methods', [])]
        teacher = block.get('teacher')
        if teacher is None and methods:
            raise ConfigError('distill: methods need a teacher; add teacher=dict(config=..., checkpoint=...)')
        return cls(None if teacher is None else _teacher(teacher), methods, int(block.get('seed', 0)))


def _teacher(block: Mapping[str, Any]) -> TeacherConfig:
    """Read the teacher's block."""
    known(block, {entry.name for entry in dataclasses.fields(TeacherConfig)}, 'distill.teacher')
    for key in ('config', 'checkpoint'):
        if not block.get(key):
            raise ConfigError(f'distill.teacher: `{key}` is missing; give the path of a file')
    return TeacherConfig(**block)


def known(block: Mapping[str, Any], keys: set[str], where: str) -> None:
    """Refuse a key that nobody reads.

    Raises:
        ConfigError: names the key, the nearest real one and the place.
    """
    if not isinstance(block, Mapping):
        raise ConfigError(f'{where}: expected a dict, got {block!r}')
    for key in block:
        if key not in keys:
            raise ConfigError(f'{where}: unknown key {key!r}: {nearest(str(key), keys)}')


def find_file(path: str, beside: str | None, where: str) -> Path:
    """Return a file named in a config: absolute, beside the config file, or below the working directory.

    Raises:
        ConfigError: it is in none of these places.
    """
    places = [Path(path)]
    if beside and not Path(path).is_absolute():
        places.insert(0, Path(beside).parent / path)
    for place in places:
        if place.is_file():
            return place.resolve()
    tried = ' or '.join(str(place) for place in places)
    raise ConfigError(f'{where}: no file {tried}; give the path of an existing file')
