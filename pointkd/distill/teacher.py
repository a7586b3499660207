"""The frozen teacher: eval mode, no gradient, in nobody's checkpoint, stopped behind its last tap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.registry import DATASETS
from torch import nn

from pointkd.core.errors import CheckpointError, ConfigError
from pointkd.core.files import sha256
from pointkd.distill.config import TeacherConfig, find_file
from pointkd.distill.inputs import image_size
from pointkd.distill.reading import Reader
from pointkd.distill.taps import Recording, Tap, record
from pointkd.io.build import build_model, scope_of
from pointkd.io.config import load_config


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
        path = find_file(settings.config, beside, 'distill.teacher.config')
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


def class_names(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the class list that a config trains on, None where it names none.

    It stands in the config, in its data set's `metainfo`, or (stock mmseg and mmdet configs) in the data set's class.
    """
    if config.get('class_names'):
        return tuple(config['class_names'])
    dataset = (config.get('train_dataloader') or {}).get('dataset')
    while dataset is not None:
        for metainfo in (dataset.get('metainfo'), _registered_metainfo(config, dataset)):
            if metainfo and (metainfo.get('classes') or metainfo.get('CLASSES')):
                return tuple(metainfo.get('classes') or metainfo['CLASSES'])
        inner = dataset.get('dataset') or dataset.get('datasets')
        dataset = inner[0] if isinstance(inner, (list, tuple)) and inner else inner
    return None


def _registered_metainfo(config: Mapping[str, Any], dataset: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what a data set's class says about itself; None where its type is not registered here."""
    kind = dataset.get('type')
    if isinstance(kind, str) and config.get('model'):
        with DATASETS.switch_scope_and_registry(scope_of(config)) as registry:
            kind = registry.get(kind)
    return getattr(kind, 'METAINFO', None)


def check_classes(student: Mapping[str, Any], teacher: Mapping[str, Any]) -> None:
    """Refuse a teacher of other classes.

    Raises:
        ConfigError: both configs name their classes and the lists differ (order included).
    """
    ours, theirs = class_names(student), class_names(teacher)
    if ours and theirs and ours != theirs:
        raise ConfigError(
            f'distill.teacher: class lists differ: the student learns {list(ours)}, the teacher knows {list(theirs)}; '
            'use a teacher of the same classes in the same order, or set allow_other_classes=True to distil features'
        )
