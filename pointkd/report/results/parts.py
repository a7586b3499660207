"""The parts of a suite: numerics, schedules, data sets with their columns, teachers and rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from pointkd.core.errors import ConfigError, nearest
from pointkd.report.results.rules import at_least, check_name, one_of

CORE, EXTENSION = 'core', 'extension'
TEACHER = 'teacher'  # name of the row of a data set's teacher
KITTI, IMAGES = 'kitti', 'images'  # kinds of data sets
OFFICIAL = 'official'  # name of the overlaps that KITTI prescribes
PARTS = ('train', 'val', 'test')
GRID_CONTROL, GRID_OWN = 3, 6  # settings that `--tune` may try: of a control, of LocalGraph


@dataclass(frozen=True)
class Numerics:
    """How every run of a suite computes, whatever the machine.

    Attributes:
        precision: 'f32', or 'bf16' for mixed precision.
        threads: of torch, in training and evaluation.
        memory_format: 'contiguous' or 'channels_last', of 2D convolutions.
    """

    precision: str = 'f32'
    threads: int = 2
    memory_format: str = 'contiguous'

    def __post_init__(self) -> None:
        one_of(self.precision, ('f32', 'bf16'), 'numerics.precision')
        one_of(self.memory_format, ('contiguous', 'channels_last'), 'numerics.memory_format')
        at_least(self.threads, 1, 'numerics.threads')
        if self.precision == 'bf16' and self.memory_format != 'channels_last':
            raise ConfigError("numerics: bf16 trains with memory_format='channels_last'; write that")

    def __str__(self) -> str:
        layout = self.memory_format.replace('_', '-')
        return f'{self.precision}, {self.threads} thread{"s" if self.threads > 1 else ""}, {layout}'


@dataclass(frozen=True)
class Schedule:
    """One rise and fall of the learning rate, the same for every row of a data set.

    Attributes:
        iterations: of a run.
        batch_size: scenes an iteration.
        peak: highest learning rate; the run starts from a tenth of it.
        rise: share of the iterations until the peak.
    """

    iterations: int
    batch_size: int = 4
    peak: float = 3e-3
    rise: float = 0.4

    def __post_init__(self) -> None:
        at_least(self.iterations, 1, 'schedule.iterations')
        at_least(self.batch_size, 1, 'schedule.batch_size')


@dataclass(frozen=True)
class Column:
    """A number of the tables. On KITTI's kind: an AP at 40 recall positions, or the mean of several classes.

    Attributes:
        title: heading.
        metric: '3d', 'bev' or 'bbox'; on images the name of one of the evaluator's metrics. The rest is KITTI's alone.
        classes: of the mean; None for all classes of the data set. An AP that no detection speaks of counts as 0.
        overlaps: 'official', or a key of the data set's `overlaps`.
        difficulty: 'easy', 'moderate' or 'hard'.
    """

    title: str
    metric: str = '3d'
    classes: list[str] | None = None
    overlaps: str = OFFICIAL
    difficulty: str = 'moderate'

    def __post_init__(self) -> None:
        one_of(self.difficulty, ('easy', 'moderate', 'hard'), f'column {self.title!r}: difficulty')


@dataclass(frozen=True)
class Dataset:
    """Data that every row is trained, tuned and tested on.

    Attributes:
        name: of folders and files.
        title: heading.
        configs: config file by the name that rows and teachers use for it.
        classes: that are evaluated.
        columns: of the tables; differences and plots are about the first.
        schedule: of every row.
        kind: 'kitti', or 'images'.
        make: data that we make: words of a `pointkd` command, without `--out`.
        frames: number of frames of train, val and test: of data that we make, and of images.
        root: data that the user has: folder below the shared data, where `--data NAME=DIR` names no other.
        lists: of KITTI's kind, name of the user's lists in ImageSets for train, val and test.
        prepare: more words for `pointkd create-data kitti`; on images a `pointkd` command with {root} and {out}.
        trials: changes of all its configs while `--tune` tries settings: training frames without those chosen on.
        parts: on images, the changes of a config that have it tested on 'val' and on 'test', with {data} in texts.
        teacher: name of a teacher of the suite, for all distilled rows that name no other.
        options: changes of all its configs, by dotted key.
        overlaps: sets of overlaps beside the official ones, `{'0.5': {'Car': 0.5}}`.
        group: 'core', or 'extension' where none of its rows is needed.
        arms: names of the rows; None for all.
        note: a sentence under the table.
    """

    name: str
    title: str
    configs: dict[str, str]
    classes: list[str]
    columns: list[Column]
    schedule: Schedule
    kind: str = KITTI
    make: str | None = None
    frames: dict[str, int] = field(default_factory=dict)
    root: str | None = None
    lists: dict[str, str] = field(default_factory=dict)
    prepare: str = ''
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    trials: dict[str, Any] = field(default_factory=dict)
    teacher: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    overlaps: dict[str, dict[str, float]] = field(default_factory=dict)
    group: str = CORE
    arms: list[str] | None = None
    note: str = ''

    def __post_init__(self) -> None:
        where = f'data set {self.name!r}'
        check_name(self.name, 'data set')
        one_of(self.group, (CORE, EXTENSION), f'{where}: group')
        if (self.make is None) == (self.root is None):
            raise ConfigError(f'{where}: give either `make` (a command) or `root` (a folder of the user)')
        one_of(self.kind, (KITTI, IMAGES), f'{where}: kind')
        counted = self.make is not None or self.kind == IMAGES
        self._has(PARTS, *((self.frames, 'frames') if counted else (self.lists, 'lists')))
        if self.kind == IMAGES:
            self._has(PARTS[1:], self.parts, 'parts')
        if not self.columns or not self.classes:
            raise ConfigError(f'{where}: at least one class and one column')
        for column in self.columns if self.kind == KITTI else []:
            one_of(column.metric, ('bbox', 'bev', '3d'), f'{where}: column {column.title!r}: metric')
            one_of(column.overlaps, (OFFICIAL, *self.overlaps), f'{where}: column {column.title!r}: overlaps')
            for name in column.classes or []:
                one_of(name, self.classes, f'{where}: column {column.title!r}: classes')

    def _has(self, parts: tuple[str, ...], given: dict[str, Any], name: str) -> None:
        """Refuse an entry that does not speak of every part."""
        if set(given) != set(parts):
            wanted, found = ', '.join(parts), ', '.join(given) or 'none'
            raise ConfigError(f'data set {self.name!r}: {name} must have {wanted}; got {found}')

    def config(self, key: str) -> str:
        """Return the config file that a row or teacher calls `key`.

        Raises:
            ConfigError: there is none.
        """
        if key not in self.configs:
            raise ConfigError(f'data set {self.name!r}: configs has no {key!r}: {nearest(key, self.configs)}')
        return self.configs[key]


@dataclass(frozen=True)
class Teacher:
    """A teacher in `data/teachers/NAME.pth`, or one that another command makes.

    Attributes:
        dataset: that it is for, and whose training frames it has seen if the suite makes it.
        config: name of its config in the data set's `configs`.
        schedule: of its training, if the suite makes it.
        made: else the command that makes it, and
        file: where that command writes it, below the checkout.
        options: changes of its config, by dotted key.
        seed: of its training.
        sha256: of the file; None until it is made (`--make-teacher NAME` prints it).
    """

    dataset: str
    config: str
    schedule: Schedule | None = None
    made: str | None = None
    file: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    sha256: str | None = None

    def __post_init__(self) -> None:
        if (self.schedule is None) == (self.made is None) or (self.made is None) != (self.file is None):
            raise ConfigError('teacher: give either `schedule`, or `made` (a command) and `file` (that it writes)')


@dataclass(frozen=True)
class Start:
    """Where a row's training starts: the weights of another row's run of the same seed.

    Attributes:
        arm: that row.
        prune: words for `pointkd prune`, which cuts the network down before; '' to take it as it is.
    """

    arm: str
    prune: str = ''


@dataclass(frozen=True)
class Arm:
    """A row of the tables: a student and what it learns from.

    Attributes:
        name: of files and in `compare`.
        title: in tables and plots.
        config: name of its config in each data set's `configs`.
        methods: entries of `distill.methods`; none for a student alone.
        options: other changes of the config, by dotted key.
        group: 'core' or 'extension'.
        teacher: name of a teacher of the suite; default the data set's.
        compare: row that paired differences are taken to; default the suite's control.
        also: rows that they are taken to beside it.
        grid: values that `--tune` tries, by dotted key.
        tuned: use what `--tune` has chosen.
        equal_time_to: row whose wall-clock time this one gets: its iterations are scaled by the calibration.
        longer: factor of the data set's number of iterations, for rows of several stages and their controls.
        start: where its training starts, if not from scratch.
        learns_from: row whose run of the same seed is the teacher, in place of one of the suite's.
        seeds: how many, where not the suite's number.
        datasets: names of data sets; None for all.
    """

    name: str
    title: str
    config: str
    methods: list[dict[str, Any]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    group: str = CORE
    teacher: str | None = None
    compare: str | None = None
    also: list[str] = field(default_factory=list)
    grid: dict[str, list[Any]] = field(default_factory=dict)
    tuned: bool = False
    equal_time_to: str | None = None
    longer: float = 1.0
    start: Start | None = None
    learns_from: str | None = None
    seeds: int | None = None
    datasets: list[str] | None = None

    def __post_init__(self) -> None:
        check_name(self.name, 'arm')
        if self.name == TEACHER:
            raise ConfigError(f'arm {TEACHER!r}: this name is taken by the row of the teacher')
        one_of(self.group, (CORE, EXTENSION), f'arm {self.name!r}: group')
        own = any(entry.get('type') == 'LocalGraph' for entry in self.methods)
        size, limit = math.prod(map(len, self.grid.values())), GRID_OWN if own else GRID_CONTROL
        if self.grid and not 1 <= size <= limit:
            kind = 'with LocalGraph' if own else 'without LocalGraph (a control)'
            raise ConfigError(
                f'arm {self.name!r}: grid has {size} settings, an arm {kind} may try {limit}: equal care for all rows'
            )
        if self.longer <= 0:
            raise ConfigError(f'arm {self.name!r}: longer: expected a number above 0, got {self.longer}')
        if self.learns_from and (self.teacher or not self.methods):
            raise ConfigError(f'arm {self.name!r}: learns_from needs methods, and takes no `teacher` beside it')
        if self.tuned and not self.grid:
            raise ConfigError(f'arm {self.name!r}: tuned=True needs a grid')
