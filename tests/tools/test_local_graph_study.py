"""The study's own arithmetic: boxes from above, errors over the target's variance, tenths of a training."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


@pytest.fixture(scope='module')
def study() -> ModuleType:
    """The script as a module."""
    specification = importlib.util.spec_from_file_location('local_graph_study', TOOLS / 'local_graph_study.py')
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules['local_graph_study'] = module
    specification.loader.exec_module(module)
    return module


def test_points_in_a_turned_box(study: ModuleType) -> None:
    boxes = torch.tensor([[10.0, 5.0, 0.0, 4.0, 2.0, 1.5, math.pi / 2]])  # its length lies along y
    points = torch.tensor([[10.0, 6.9, 9.0], [10.9, 5.0, 0.0], [11.1, 5.0, 0.0], [10.0, 7.1, 0.0]])
    assert study.in_boxes(points, boxes).tolist() == [True, True, False, False]
    assert not study.in_boxes(points, boxes[:0]).any()


def test_a_constant_has_error_one(study: ModuleType) -> None:
    theirs = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    measures = study.compared(theirs.mean(0).expand(2, 2), theirs)
    assert measures == {'target_spread': pytest.approx(1.0), 'error': pytest.approx(1.0)}
    assert study.compared(theirs, theirs)['error'] == 0


def test_tenths_of_a_training(study: ModuleType) -> None:
    looks = [dict.fromkeys(study.MEASURES, float(number)) for number in range(20)]
    assert study.summary(looks)['error'] == [0.5, 18.5]
    assert study.summary(looks[:1])['gradient'] == [0.0, 0.0]
