"""The soak's own judgement: it must see every difference."""

from __future__ import annotations

import importlib.util
import json
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from pointkd.core.errors import TrainingError

FILE = Path(__file__).resolve().parents[2] / 'tools' / 'benchmarks' / 'soak_resume.py'


@pytest.fixture(scope='module')
def soak():
    spec = importlib.util.spec_from_file_location('soak_resume', FILE)
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules['soak_resume'] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def state():
    return {'net': OrderedDict(weight=torch.tensor([0.0, 1.0]), steps=torch.tensor(3)), 'groups': [{'lr': 0.1}, None]}


def test_equal_nests_have_no_differences(soak):
    assert soak.unequal(state(), state(), 'state') == []
    nan = torch.tensor([float('nan')])
    assert soak.unequal(nan, nan.clone(), 'state') == []


@pytest.mark.parametrize(
    ('change', 'path'),
    [
        (lambda s: s['net'].update(weight=torch.tensor([-0.0, 1.0])), 'state.net.weight'),  # another bit, equal to ==
        (lambda s: s['net'].update(weight=torch.tensor([0.0, 1.0]).double()), 'state.net.weight'),
        (lambda s: s['net'].update(weight=torch.zeros(2, 1)), 'state.net.weight'),
        (lambda s: s['net'].pop('steps'), 'state.net'),
        (lambda s: s['groups'][0].update(lr=1), 'state.groups.0.lr'),
        (lambda s: s['groups'].append(1), 'state.groups'),
        (lambda s: s.update(net=None), 'state.net'),
    ],
)
def test_every_difference_is_named(soak, change, path):
    other = state()
    change(other)
    assert soak.unequal(state(), other, 'state') == [path]


def test_results_of_another_soak_are_not_mixed(soak, tmp_path):
    settings = soak.Settings(seed=0, iterations=4, scenes=2, workers=0, threads=1, accumulate=1, ema=False, again=0.0)
    out = tmp_path / 'results.json'
    record = soak.read_results(out, settings, 20)
    assert record['runs'] == []
    out.write_text(json.dumps(record))
    assert soak.read_results(out, settings, 20) == record
    with pytest.raises(TrainingError, match='other settings'):
        soak.read_results(out, settings, 10)
