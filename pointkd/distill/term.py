"""One distillation term: a method with its taps, connectors, weight, schedule and watch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pointkd.core.errors import ConfigError
from pointkd.distill.balance import Balance
from pointkd.distill.collapse import CollapseWatch
from pointkd.distill.config import TermConfig, known
from pointkd.distill.connectors import default_connector
from pointkd.distill.features import Feature
from pointkd.distill.matching import match
from pointkd.distill.methods.base import Context, Method, Term, Widths
from pointkd.distill.registry import CONNECTORS, METHODS, SCHEDULES, build_strict, registered, settings_of
from pointkd.distill.taps import Tap

FeaturePairs = Sequence[tuple[Feature, Feature]]


class DistillationTerm(nn.Module):
    """A method at its place: first its taps, then (`size`), once the dry run knows the widths, its layers.

    Args:
        block: entry of `distill.methods`.
        where: its config path.
    """

    methods: nn.ModuleList  # one a tapped feature, like the connectors
    connectors: nn.ModuleList

    def __init__(self, block: Mapping[str, Any], where: str) -> None:
        super().__init__()
        self.where = where
        self.settings, self.own = split_block(block, where)
        check_levels(self.settings.levels, where)
        self.kind: type[Method] = registered(METHODS, self.settings.type, where)
        self.name = self.settings.name or snake_case(self.settings.type)
        known(block, TermConfig.keys() | set(settings_of(self.kind)) - {'widths'}, where)
        self.schedule = build_strict(SCHEDULES, self.settings.schedule, f'{where}.schedule')
        self.balance = Balance(self.settings.weight, self.settings.share, where)
        self.watch = CollapseWatch(self.name)
        self.student_tap, self.teacher_tap = self._taps()

    def size(self, pairs: FeaturePairs) -> None:
        """Build the method and its connectors for the widths seen in the dry run.

        Args:
            pairs: student and teacher features of the tap (several where it names a list of maps).
        """
        self.connectors, self.methods = nn.ModuleList(), nn.ModuleList()
        for student, teacher in self._chosen(pairs):
            self._check_kind(student)
            if self.kind.matches:
                match(student, teacher)  # what can not be compared is said here, not in the first step
            widths = Widths(student.width, teacher.width)
            if self.settings.connector and not self.kind.connects_with(self.own):
                raise ConfigError(
                    f'{self.where}: with these settings {self.settings.type} takes no connector; remove it'
                )
            if self.kind.connects_with(self.own):
                block = self.settings.connector or default_connector(student.width, teacher.width)
                sizes = dict(student=student.width, teacher=teacher.width)
                self.connectors.append(build_strict(CONNECTORS, block, f'{self.where}.connector', **sizes))
                widths = Widths(teacher.width, teacher.width)
            self.methods.append(self._build(widths))
        if not pairs:
            self.methods.append(self._build(Widths(0, 0)))

    def extra_taps(self) -> dict[str, tuple[str, Tap]]:
        """Return the method's own additional taps by name: side and tap."""
        taps = self.methods[0].extra_taps()
        return {name: (side, Tap.parse(path, f'{self.where}.{name}')) for name, (side, path) in taps.items()}

    def forward(self, pairs: FeaturePairs, context: Context) -> Term:
        """Return the mean or, with `levels`, the weighted sum over the tapped features, before weight and schedule."""
        terms = []
        for number, (student, teacher) in enumerate(self._chosen(pairs)):
            if self.kind.matches:
                student, teacher = match(student, teacher)
            if self.connectors:
                student = self.connectors[number](student)
            terms.append(self.methods[number](student, teacher, context))
        losses = [term.loss for term in terms]
        scalars = {key: torch.stack([term.scalars[key] for term in terms]).mean() for key in terms[0].scalars}
        if self.settings.levels is None:
            return Term(torch.stack(losses).mean(), scalars, terms[0].matched)
        weights = {number: weight for number, weight in enumerate(self.settings.levels) if weight}
        scalars |= {f'level_{number}': loss.detach() for number, loss in zip(weights, losses, strict=True)}
        weighted = [weight * loss for weight, loss in zip(weights.values(), losses, strict=True)]
        return Term(torch.stack(weighted).sum(), scalars, terms[0].matched)

    def factor(self, iteration: int, total: int) -> float:
        """Return the schedule's factor (0..1); at 0 the term is not computed."""
        return self.schedule.factor(iteration, total)

    def weighted(self, pairs: FeaturePairs, context: Context, task_loss: Tensor) -> dict[str, Tensor]:
        """Return what goes into the loss dict: the weighted term and scalars for the log."""
        term = self(pairs, context)
        tapped = [tensor for student, _ in self._chosen(pairs) for tensor in student.sources]
        weight = self.factor(context.iteration, context.total)
        weight *= self.balance.factor(task_loss, term.loss, tapped, context.iteration)
        scalars = {**term.scalars, **self.watch.look(context.iteration, term.matched, term.scalars)}
        log = {f'{self.name}/{key}': value.detach().float() for key, value in scalars.items()}
        log[f'{self.name}/weight'] = task_loss.new_tensor(weight)
        return {f'loss_{self.name}': term.loss * weight, **log}

    def untouched(self, like: Tensor) -> Tensor:
        """Return a zero that reaches every parameter of the term, so that DDP finds them all used."""
        touched = [parameter.sum() * 0.0 for parameter in self.parameters()]
        return torch.stack(touched).sum() if touched else torch.zeros((), device=like.device)

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs, tensors and plain numbers only."""
        return {'adapters': self.state_dict(), 'balance': self.balance.state(), 'watch': self.watch.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore `state()`."""
        self.load_state_dict(state['adapters'])
        self.balance.load(state['balance'])
        self.watch.load(state['watch'])

    def _chosen(self, pairs: FeaturePairs) -> FeaturePairs:
        """Leave out the features that `levels` gives no weight."""
        levels = self.settings.levels
        if levels is None or not pairs:
            return pairs
        if len(levels) != len(pairs):
            raise ConfigError(
                f'{self.where}.levels: {len(levels)} weights for the {len(pairs)} features of {self.student_tap}; give '
                'one each, 0 to leave one out'
            )
        return [pair for pair, weight in zip(pairs, levels, strict=True) if weight]

    def _build(self, widths: Widths) -> Method:
        """Build the method for some widths."""
        return build_strict(METHODS, {'type': self.settings.type, **self.own}, self.where, widths=widths)

    def _check_kind(self, feature: Feature) -> None:
        """Refuse a tap whose kind of feature the method does not take."""
        wanted = self.kind.contract.features
        if wanted and not isinstance(feature, wanted):
            names = ', '.join(kind.__name__ for kind in wanted)
            raise ConfigError(
                f'{self.where}: {self.settings.type} works on {names}; {self.student_tap} is {type(feature).__name__}'
            )

    def _taps(self) -> tuple[Tap | None, Tap | None]:
        """Read the two taps; a method that looks at whole networks has none."""
        if not self.kind.taps:
            if self.settings.student or self.settings.teacher:
                raise ConfigError(f'{self.where}: {self.settings.type} takes no taps; remove `student` and `teacher`')
            return None, None
        if self.settings.student is None:
            raise ConfigError(f"{self.where}: {self.settings.type} needs a tap: student='module.path'")
        student = Tap.parse(self.settings.student, f'{self.where}.student')
        return student, Tap.parse(self.settings.teacher or self.settings.student, f'{self.where}.teacher')


def split_block(block: Mapping[str, Any], where: str) -> tuple[TermConfig, dict[str, Any]]:
    """Divide a `methods` entry into what the Distiller reads and the method's own settings."""
    if not isinstance(block, Mapping) or 'type' not in block:
        raise ConfigError(f'{where}: expected a dict with `type`, got {block!r}')
    ours = TermConfig.keys()
    settings = TermConfig(**{key: value for key, value in block.items() if key in ours})
    return settings, {key: value for key, value in block.items() if key not in ours}


def check_levels(levels: Any, where: str) -> None:
    """Refuse `levels` that are no weights.

    Raises:
        ConfigError: no list, a negative number, or none above 0.
    """
    if levels is None:
        return
    numbers = isinstance(levels, (list, tuple)) and all(isinstance(weight, (int, float)) for weight in levels)
    if not numbers or not all(weight >= 0 for weight in levels) or not any(levels):
        raise ConfigError(f'{where}.levels: expected a list of weights >= 0, not all 0, got {levels!r}')


def unique_names(terms: Sequence[DistillationTerm]) -> None:
    """Number the terms that share a name: `local_graph`, `local_graph_2`."""
    seen: dict[str, int] = {}
    for term in terms:
        seen[term.name] = seen.get(term.name, 0) + 1
        if seen[term.name] > 1:
            term.name = term.watch.name = f'{term.name}_{seen[term.name]}'


def snake_case(name: str) -> str:
    """Return `local_graph` for `LocalGraph`.

    Example:
        >>> snake_case('LocalGraph')
        'local_graph'
    """
    return re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', name).lower()
