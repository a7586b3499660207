"""The class lists of teacher and student, wherever they stand."""

from __future__ import annotations

import pytest
from mmengine.config import Config

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from pointkd.core.errors import ConfigError
from pointkd.distill.teacher import check_classes
from pointkd.io.metainfo import read_labels


def config(dataset, **metainfo):
    """A config as mmseg writes it: the class list stands in the data set's class."""
    dataset = dict(type=dataset, metainfo=metainfo) if metainfo else dict(type=dataset)
    model = dict(type='EncoderDecoder')
    return Config(dict(default_scope='mmseg', model=model, train_dataloader=dict(dataset=dataset)))


def names_of(content):
    return read_labels(content).classes


def test_the_data_sets_class_knows_them():
    assert names_of(config('CityscapesDataset'))[:2] == ('road', 'sidewalk')
    repeated = config('RepeatDataset')
    repeated.train_dataloader.dataset.dataset = dict(type='CityscapesDataset')
    assert len(names_of(repeated)) == 19
    assert names_of(config('CityscapesDataset', classes=['a', 'b'])) == ('a', 'b')
    assert names_of(config('NoSuchDataset')) is None


def test_another_label_map_is_refused():
    names = list(names_of(config('CityscapesDataset')))
    check_classes(config('CityscapesDataset'), config('CityscapesDataset', classes=names))
    names[0], names[1] = names[1], names[0]
    with pytest.raises(ConfigError, match='class lists differ'):
        check_classes(config('CityscapesDataset'), config('CityscapesDataset', classes=names))
    with pytest.raises(ConfigError, match='class lists differ'):
        check_classes(config('CityscapesDataset'), config('ADE20KDataset'))
