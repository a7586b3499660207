"""What a suite is: rows, data, seeds, schedule and numerics, all fixed in its file."""

from __future__ import annotations

from dataclasses import dataclass, field

from pointkd.core.errors import ConfigError
from pointkd.report.results.parts import Arm, Dataset, Numerics, Teacher
from pointkd.report.results.rules import at_least, check_name, one_of, unique


@dataclass(frozen=True)
class Suite:
    """A question and the runs that answer it.

    Attributes:
        name: of its file.
        title: heading.
        numerics: of every run.
        datasets: in the order of the tables.
        arms: in the order of the tables.
        control: row that differences are taken to, where an arm names no other.
        teachers: by name.
        seeds: runs of each row.
        losses: names of the detection losses, whose sum is the learning curve.
    """

    name: str
    title: str
    numerics: Numerics
    datasets: list[Dataset]
    arms: list[Arm]
    control: str
    teachers: dict[str, Teacher] = field(default_factory=dict)
    seeds: int = 3
    losses: list[str] = field(default_factory=lambda: ['loss_cls', 'loss_bbox', 'loss_dir'])

    def __post_init__(self) -> None:
        at_least(self.seeds, 1, 'seeds')
        arms, datasets = [arm.name for arm in self.arms], [data.name for data in self.datasets]
        unique(arms, 'arms')
        unique(datasets, 'datasets')
        one_of(self.control, arms, 'control')
        for arm in self.arms:
            others = [(name, 'also') for name in arm.also]
            for name, key in ((arm.compare, 'compare'), (arm.equal_time_to, 'equal_time_to'), *others):
                one_of(name, (None, *arms), f'arm {arm.name!r}: {key}')
            before = arms[: arms.index(arm.name)]  # a run needs what stands above it
            one_of(arm.learns_from, (None, *before), f'arm {arm.name!r}: learns_from (a row above it)')
            if arm.start is not None:
                one_of(arm.start.arm, before, f'arm {arm.name!r}: start.arm (a row above it)')
            one_of(arm.teacher, (None, *self.teachers), f'arm {arm.name!r}: teacher')
            for name in arm.datasets or []:
                one_of(name, datasets, f'arm {arm.name!r}: datasets')
        for data in self.datasets:
            one_of(data.teacher, (None, *self.teachers), f'data set {data.name!r}: teacher')
            for name in data.arms or []:
                one_of(name, arms, f'data set {data.name!r}: arms')
            for arm in self.arms_of(data):
                data.config(arm.config)
                if arm.methods and not (arm.teacher or data.teacher or arm.learns_from):
                    raise ConfigError(f'arm {arm.name!r} on {data.name!r}: methods need a teacher')
        for name, teacher in self.teachers.items():
            check_name(name, 'teacher')
            one_of(teacher.dataset, datasets, f'teacher {name!r}: dataset')
            self.dataset(teacher.dataset).config(teacher.config)

    def dataset(self, name: str) -> Dataset:
        """Return a data set by name.

        Raises:
            ConfigError: there is none of this name.
        """
        one_of(name, [data.name for data in self.datasets], f'{self.name}: data set')
        return next(data for data in self.datasets if data.name == name)

    def arm(self, name: str) -> Arm:
        """Return an arm by name.

        Raises:
            ConfigError: there is none of this name.
        """
        one_of(name, [arm.name for arm in self.arms], f'{self.name}: arm')
        return next(arm for arm in self.arms if arm.name == name)

    def arms_of(self, dataset: Dataset) -> list[Arm]:
        """Return the arms that run on a data set, in order."""
        return [
            arm
            for arm in self.arms
            if (dataset.arms is None or arm.name in dataset.arms)
            and (arm.datasets is None or dataset.name in arm.datasets)
        ]

    def teacher_of(self, dataset: Dataset, arm: Arm) -> str | None:
        """Return the suite's teacher that an arm learns from on a data set; None for a student alone, or of a run."""
        return (arm.teacher or dataset.teacher) if arm.methods and not arm.learns_from else None

    def teacher_file(self, name: str) -> str:
        """Return the path of a teacher's weights below the checkout."""
        return self.teachers[name].file or f'data/teachers/{name}.pth'

    def compared_to(self, arm: Arm) -> list[str]:
        """Return the names of the rows that an arm's differences are taken to; none for the control itself."""
        return [name for name in (arm.compare or self.control, *arm.also) if name != arm.name]
