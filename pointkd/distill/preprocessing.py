"""Preprocessing for two networks that see the same augmented sample through different voxels or normalisation."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from pointkd.core.errors import ConfigError


class PairedPreprocessor(nn.Module):
    """Gives the student its batch, and in training the teacher its own beside it as `teacher_batch`.

    Args:
        student: the student's data preprocessor.
        teacher: the teacher's.

    Raises:
        ConfigError: the student's preprocessor augments batches at random, so that the teacher would see other samples.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        super().__init__()
        if getattr(student, 'batch_augments', None):
            raise ConfigError(
                'the student augments whole batches (data_preprocessor.batch_augments) and is prepared otherwise than '
                'the teacher: they would see different samples; move the augmentation into the dataset pipeline'
            )
        self.student = student
        self.__dict__['teacher'] = teacher  # frozen and outside the module tree, as the teacher itself
        self.pads_in_training = hasattr(student, 'seg_pad_val') and hasattr(teacher, 'seg_pad_val')
        if self.pads_in_training:  # mmseg pads to the training crop: both nets must see the same frame
            teacher.size, teacher.size_divisor = student.size, student.size_divisor

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Return the student's batch, in training with `teacher_batch`.

        Args:
            data: raw batch of the data loader.
            training: whether a training step follows.
        """
        raw = copy.deepcopy(data) if training else None
        batch = self.student(data, training)
        if raw is not None:
            batch = {**batch, 'teacher_batch': self.teacher(raw, self.pads_in_training)}
        return batch

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if 'student' not in self.__dict__.get('_modules', {}):
                raise
            return getattr(self._modules['student'], name)


@contextmanager
def small_frames(preprocessor: nn.Module) -> Iterator[None]:
    """Let mmseg's preprocessor pad images to a multiple of 32 inside the block, in place of the whole training crop.

    For dry runs: a made-up image of 64 x 96 pixels would become one of 512 x 1024.
    """
    sides = [preprocessor.student, preprocessor.teacher] if isinstance(preprocessor, PairedPreprocessor) else []
    padding = [side for side in sides or [preprocessor] if hasattr(side, 'seg_pad_val')]
    before = [(side.size, side.size_divisor) for side in padding]
    for side in padding:
        side.size, side.size_divisor = None, 32
    try:
        yield
    finally:
        for side, (size, divisor) in zip(padding, before, strict=True):
            side.size, side.size_divisor = size, divisor
