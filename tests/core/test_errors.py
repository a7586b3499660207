import pytest

from pointkd.core import errors
from pointkd.core.errors import PointKDError, nearest

BUILT_IN = {
    'ConfigError': ValueError,
    'DataError': ValueError,
    'ShapeError': ValueError,
    'CheckpointError': ValueError,
    'ExportError': RuntimeError,
    'StackError': ImportError,
    'StorageError': OSError,
    'TrainingError': RuntimeError,
}


@pytest.mark.parametrize(('name', 'built_in'), BUILT_IN.items())
def test_every_class_is_ours_and_a_built_in(name, built_in):
    error = getattr(errors, name)('what is wrong')
    assert isinstance(error, PointKDError)
    assert isinstance(error, built_in)
    assert str(error) == 'what is wrong'


def test_no_class_is_left_out():
    found = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, PointKDError)}
    assert found == {'PointKDError', *BUILT_IN}


@pytest.mark.parametrize(
    ('name', 'options', 'phrase'),
    [
        ('bakbone', ['backbone', 'neck'], "did you mean 'backbone'?"),
        ('a', [], 'there are none to choose from'),
        ('zzz', ['neck', 'backbone'], 'choose one of: backbone, neck'),
        ('zzz', [f'name{number:02d}' for number in range(30)], 'name19, ...'),
    ],
)
def test_nearest(name, options, phrase):
    assert phrase in nearest(name, options)


def test_nearest_names_at_most_count():
    assert nearest('conv', ['conv1', 'conv2', 'conv3', 'conv4'], count=2).count("'") == 4
