"""The Distiller: a student that also learns from a teacher, and is otherwise the student."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor, nn

from pointkd.core.errors import CheckpointError, ConfigError
from pointkd.core.seeds import derive_seed
from pointkd.distill.adapters import Adapters
from pointkd.distill.config import DistillConfig
from pointkd.distill.features import Feature
from pointkd.distill.inputs import batch_length, image_size, own_inputs, same_preprocessing
from pointkd.distill.methods.base import Context
from pointkd.distill.preprocessing import PairedPreprocessor, small_frames
from pointkd.distill.randomness import isolated_randomness
from pointkd.distill.reading import Reader
from pointkd.distill.taps import Recording, Tap, record
from pointkd.distill.teacher import Teacher, check_classes
from pointkd.distill.term import DistillationTerm, unique_names
from pointkd.io.build import build_module, scope_of
from pointkd.io.dummy import dummy_batch


@MODELS.register_module()
class Distiller(BaseModel):
    """A student with a frozen teacher beside it.

    It has exactly the student's modules, under the student's names, so its `state_dict()` is the plain student's
    (`_metadata` included) and loads there with `strict=True`; optimiser settings and hooks written for the student
    work on it unchanged. What distillation adds, the `adapters` (connectors and trained parts of methods), is trained
    with the student and kept out of the state dict; `extra_state()` has it for the checkpoint.

    In `loss` mode the result is the student's losses plus one `loss_<term>` a method and scalars `<term>/...` for the
    log; `predict` and `tensor` are the student's. Without methods it trains exactly as the plain student.

    Args:
        student: model config of the student.
        distill: the `distill` block, see `pointkd.distill.config`.
        student_config: the whole config of the student, for its class list and for paths beside its file.

    Raises:
        ConfigError: the block, a tap or a method's settings are wrong, or the class lists differ.
        CheckpointError: the teacher's weights belong to another network.
    """

    data_preprocessor: nn.Module

    def __init__(
        self, student: Mapping[str, Any], distill: Mapping[str, Any], student_config: Mapping[str, Any] | None = None
    ) -> None:
        settings = DistillConfig.parse(distill)
        config = student_config if student_config is not None else {'model': student}
        network = build_module(ConfigDict(student), scope_of(config))
        super().__init__(data_preprocessor=network.data_preprocessor)
        self.__dict__['student'] = network  # not a child: its children are ours
        self._modules = network._modules
        self._parameters = network._parameters
        self._buffers = network._buffers
        self.student_reader = Reader(network, student)
        self.iteration, self.total = 0, 1
        self.teacher: Teacher | None = None
        self.dummy: dict[str, Any] | None = None  # a raw batch of the student's kind
        with isolated_randomness(derive_seed(settings.seed, 'adapters')):
            if settings.teacher is not None:
                self.teacher = Teacher.load(settings.teacher, getattr(config, 'filename', None))
                if not settings.teacher.allow_other_classes:
                    check_classes(config, self.teacher.config)
            terms = [DistillationTerm(block, f'distill.methods[{i}]') for i, block in enumerate(settings.methods)]
            unique_names(terms)
            if self.teacher is not None:
                self._pair_preprocessors(student)
                self._dry_run(terms, config)
        self.adapters = Adapters(terms)

    # -- training ------------------------------------------------------------------------------------------------

    def forward(
        self,
        inputs: Any,
        data_samples: list | None = None,
        mode: str = 'tensor',
        teacher_batch: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the student; in `loss` mode also the teacher and the methods.

        Args:
            inputs: as the student's data preprocessor gives them.
            data_samples: annotations.
            mode: `'loss'`, `'predict'` or `'tensor'`.
            teacher_batch: the teacher's own batch, where its preprocessing differs (see `PairedPreprocessor`).

        Returns:
            What the student returns in this mode; in `loss` mode with the terms added.
        """
        if mode != 'loss' or self.teacher is None:
            return self.student(inputs, data_samples, mode=mode)
        terms = [term for term in self.adapters.terms if term.student_tap is not None]
        active = [term for term in terms if term.factor(self.iteration, self.total) > 0]
        batch = teacher_batch or {'inputs': own_inputs(inputs), 'data_samples': data_samples}
        with record(self.student, self._taps(active, 'student'), 'student', image_size=image_size(inputs)) as seen:
            losses = self.student(inputs, data_samples, mode='loss')
        task_loss, _ = self.parse_losses(losses)
        losses.update({f'loss_{term.name}': term.untouched(task_loss) for term in terms if term not in active})
        if active:
            taught = self.teacher.run(batch, self._taps(active, 'teacher'))
            losses.update(
                self._distil(active, seen, taught, data_samples, batch_length(inputs, data_samples), task_loss)
            )
        return losses

    def set_progress(self, iteration: int, total: int) -> None:
        """Tell where the run is, before each training iteration: schedules depend on it.

        Args:
            iteration: iterations done.
            total: iterations of the whole run.
        """
        self.iteration, self.total = iteration, max(1, total)

    def init_weights(self) -> None:
        """Initialise the student as if it were alone, then let methods set its start (`TeacherInit`)."""
        methods = [method for term in self.adapters.terms for method in term.methods]
        with self.adapters.hidden(self._modules):
            self.student.init_weights()
            with isolated_randomness(derive_seed(0, 'start')):
                for method in methods:
                    method.start(self.student, self.teacher.network, self.dummy)  # type: ignore[union-attr]

    def extra_state(self) -> dict[str, Any]:
        """Return what lies beside the student's weights in a checkpoint: adapters, balances, the teacher's identity."""
        reference = self.teacher.reference if self.teacher else None
        return {
            'terms': {term.name: term.state() for term in self.adapters.terms},
            'teacher': None if reference is None else dict(vars(reference)),
        }

    def load_extra_state(self, state: Mapping[str, Any]) -> None:
        """Restore `extra_state()`.

        Raises:
            CheckpointError: it belongs to other methods or another teacher.
        """
        names = {term.name for term in self.adapters.terms}
        if set(state['terms']) != names:
            raise CheckpointError(
                f'the checkpoint was trained with the terms {sorted(state["terms"])}, the config has {sorted(names)}; '
                'resume with the same config'
            )
        if self.teacher is not None and state['teacher']['sha256'] != self.teacher.reference.sha256:
            raise CheckpointError(
                f'the checkpoint was trained with another teacher ({state["teacher"]["checkpoint"]}, sha256 '
                f'{state["teacher"]["sha256"][:12]}...); resume with that file'
            )
        for term in self.adapters.terms:
            term.load(state['terms'][term.name])

    # -- being the student ---------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            student = self.__dict__.get('student')
            if student is None:
                raise
            return getattr(student, name)

    def train(self, mode: bool = True) -> Distiller:
        """Set the student's mode (its own rules for frozen layers apply); the teacher stays in eval mode."""
        self.training = mode
        self.student.train(mode)
        return self

    def _apply(self, fn: Any, recurse: bool = True) -> Distiller:
        super()._apply(fn, recurse)
        if self.teacher is not None:
            self.teacher.network._apply(fn)
        return self

    def _set_device(self, device: torch.device) -> None:
        super()._set_device(device)
        if self.teacher is not None:
            self.teacher.network._set_device(device)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self.student._load_from_state_dict(*args, **kwargs)

    # -- building ------------------------------------------------------------------------------------------------

    def _pair_preprocessors(self, student: Mapping[str, Any]) -> None:
        """Give the teacher its own preprocessing where it differs from the student's."""
        teacher = self.teacher
        assert teacher is not None  # the caller checked
        if not same_preprocessing(student, teacher.config['model']):
            self.data_preprocessor = PairedPreprocessor(self.data_preprocessor, teacher.network.data_preprocessor)

    def _dry_run(self, terms: list[DistillationTerm], config: Mapping[str, Any]) -> None:
        """Size the terms by one forward of each network on a tiny made-up batch."""
        self.dummy = dummy_batch(config)
        with small_frames(self.data_preprocessor):
            batch = self.data_preprocessor(copy.deepcopy(self.dummy), True)
        own = batch.pop('teacher_batch', None) or {**batch, 'inputs': own_inputs(batch['inputs'])}
        tapped = [term for term in terms if term.student_tap is not None]
        training = self.student.training
        self.student.eval()
        taps, pixels = self._taps(tapped, 'student'), image_size(batch['inputs'])
        with torch.no_grad(), record(self.student, taps, 'student', image_size=pixels) as seen:
            self.student(**batch, mode='tensor')
        self.student.train(training)
        assert self.teacher is not None  # the caller checked
        taught = self.teacher.run(own, self._taps(tapped, 'teacher'), whole=True)
        size = batch_length(batch['inputs'], batch.get('data_samples'))
        for term in terms:
            term.size(self._pairs(term, seen, taught, size) if term in tapped else [])
        extra = [tap for term in tapped for side, tap in term.extra_taps().values() if side == 'teacher']
        if extra:
            self.teacher.run(own, self._taps(tapped, 'teacher') + extra, whole=True)

    # -- features ------------------------------------------------------------------------------------------------

    def _distil(
        self,
        terms: list[DistillationTerm],
        seen: Recording,
        taught: Recording,
        data_samples: list | None,
        batch_size: int,
        task_loss: Tensor,
    ) -> dict[str, Tensor]:
        """Return the losses and scalars of the terms that are active now."""
        results = {}
        for term in terms:
            context = Context(self.iteration, self.total, data_samples)
            for name, (side, tap) in term.extra_taps().items():
                context.extra[name] = self._read(side, seen, taught, tap, batch_size, ())[0]
            results.update(term.weighted(self._pairs(term, seen, taught, batch_size), context, task_loss))
        return results

    def _taps(self, terms: list[DistillationTerm], side: str) -> list[Tap]:
        """Return the terms' taps on one side."""
        taps = [term.student_tap if side == 'student' else term.teacher_tap for term in terms]
        if all(hasattr(term, 'methods') for term in terms):
            taps += [tap for term in terms for where, tap in term.extra_taps().values() if where == side]
        return [tap for tap in taps if tap is not None]

    def _pairs(
        self, term: DistillationTerm, seen: Recording, taught: Recording, batch_size: int
    ) -> list[tuple[Feature, Feature]]:
        """Return the student's and the teacher's features of a term."""
        assert term.student_tap is not None  # the caller chose such terms
        assert term.teacher_tap is not None
        kinds = term.kind.contract.features
        students = self._read('student', seen, taught, term.student_tap, batch_size, kinds)
        teachers = self._read('teacher', seen, taught, term.teacher_tap, batch_size, kinds)
        if len(students) != len(teachers):
            raise ConfigError(
                f'{term.where}: the student tap {term.student_tap} gives {len(students)} features and the teacher tap '
                f'{term.teacher_tap} {len(teachers)}; choose one each by an index'
            )
        return list(zip(students, teachers, strict=True))

    def _read(
        self, side: str, seen: Recording, taught: Recording, tap: Tap, batch_size: int, kinds: tuple[type, ...]
    ) -> list[Feature]:
        """Return the features of one tap."""
        if side == 'student':
            return self.student_reader.read(seen, tap, batch_size, kinds)
        assert self.teacher is not None  # there is a tap in it
        return self.teacher.reader.read(taught, tap, batch_size, kinds)
