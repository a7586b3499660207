"""The frozen teacher: eval mode, no gradient, in nobody's checkpoint, stopped behind its last tap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pointkd.core.errors import CheckpointError, ConfigError
from pointkd.core.files import sha256
from pointkd.distill.config import TeacherConfig, find_file
from pointkd.distill.inputs import image_size
from pointkd.distill.reading import Reader
from pointkd.distill.taps import Recording, Tap, record
from pointkd.io.build import build_model
from pointkd.io.config import find_config, load_config
from pointkd.io.metainfo import read_labels


@dataclass(frozen=True)
class TeacherReference:
    """What a checkpoint keeps of the teacher: enough to know it again."""

    config: str
    checkpoint: str
    sha256: str


class Teacher:
    """A trained network that is only looked at.

    It is no `nn.Module`, so that optimisers, EMA copies, DDP buckets and state dicts never see it; copies share it.

    Args:
        network: the trained net.
        config: its whole config.
        reference: where it comes from.
    """

    def __init__(self, network: nn.Module, config: Mapping[str, Any], reference: TeacherReference) -> None:
        self.network = network.eval().requires_grad_(False)
        self.config = config
        self.reference = reference
        self.reader = Reader(network, config['model'])
        self.calls: dict[str, int] = {}

    @classmethod
    def load(cls, settings: TeacherConfig, beside: str | None = None) -> Teacher:
        """Build the teacher from its config and load its weights strictly.

        Args:
            settings: the `distill.teacher` block.
            beside: path of the student's config file; relative paths are looked for there first.

        Raises:
            ConfigError: a file does not exist.
            CheckpointError: the weights belong to another network.
        """
        stock = '::' in settings.config  # a config of an installed package
        path = find_config(settings.config) if stock else find_file(settings.config, beside, 'distill.teacher.config')
        weights = find_file(settings.checkpoint, beside, 'distill.teacher.checkpoint')
        config = load_config(path, pretrained=False, options=settings.options)
        try:
            network = build_model(config, weights)
        except CheckpointError as error:
            raise CheckpointError(f'distill.teacher: {error}') from error
        return cls(network, config, TeacherReference(str(path), str(weights), sha256(weights)))

    def run(self, batch: Mapping[str, Any], taps: Sequence[Tap], *, whole: bool = False) -> Recording:
        """Run a preprocessed batch and return what the taps saw.

        Args:
            batch: what the teacher's data preprocessor gives (`inputs`, `data_samples`).
            taps: what will be taken; the forward ends behind the last of them.
            whole: run to the end (the dry run, which learns how often each module is called).
        """
        expected = None if whole else {tap.module: self.calls[tap.module] for tap in taps}
        pixels = image_size(batch['inputs'])
        with torch.no_grad(), record(self.network, taps, 'teacher', expected, image_size=pixels) as recording:
            self.network(**batch, mode='tensor')
        if whole:
            self.calls.update(recording.counts())
        return recording

    def __deepcopy__(self, memo: dict) -> Teacher:
        return self


def check_classes(student: Mapping[str, Any], teacher: Mapping[str, Any]) -> None:
    """Refuse a teacher of other classes or of another label map.

    Raises:
        ConfigError: class lists (order included), numbers of classes, or the meaning of label 0 differ.
    """
    ours, theirs = read_labels(student), read_labels(teacher)
    use = 'set allow_other_classes=True to distil features'
    if ours.classes and theirs.classes and ours.classes != theirs.classes:
        raise ConfigError(
            f'distill.teacher: class lists differ: the student learns {list(ours.classes)}, the teacher knows '
            f'{list(theirs.classes)}; use a teacher of the same classes in the same order, or {use}'
        )
    if ours.num_classes and theirs.num_classes and ours.num_classes != theirs.num_classes:
        raise ConfigError(
            f"distill.teacher: the student's head has {ours.num_classes} classes, the teacher's {theirs.num_classes}; "
            f'use a teacher of the same classes, or {use}'
        )
    if ours.reduce_zero_label != theirs.reduce_zero_label:
        raise ConfigError(
            f'distill.teacher: label maps differ: reduce_zero_label is {ours.reduce_zero_label} for the student and '
            f"{theirs.reduce_zero_label} for the teacher, so their labels are one apart; use one data set's settings "
            f'for both, or {use}'
        )
