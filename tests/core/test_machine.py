import ctypes
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from pointkd.core import machine


@pytest.mark.parametrize('version', [(3, 10), (3, 12), (2, 7)])
def test_another_python_is_named_with_what_to_do(version):
    problem = machine.python_problem(version)
    assert problem is not None
    assert f'{version[0]}.{version[1]}' in problem
    assert 'PYTHON=python3.11' in problem


def test_this_python_fits():
    assert machine.python_problem((3, 11)) is None


@pytest.mark.parametrize(('system', 'processor'), [('Darwin', 'arm64'), ('Linux', 'aarch64'), ('Windows', 'AMD64')])
def test_another_machine_is_named_with_what_to_do(system, processor):
    problem = machine.machine_problem(system, processor)
    assert problem is not None
    assert f'{system} {processor}' in problem
    assert 'docker run' in problem


def test_this_machine_fits():
    assert machine.machine_problem('Linux', 'x86_64') is None


def test_a_missing_library_is_named_with_its_package(monkeypatch):
    def load(name):
        if name == 'libGL.so.1':
            raise OSError('not there')

    monkeypatch.setattr(ctypes, 'CDLL', load)
    assert machine.library_problem() == 'open3d misses the system libraries libGL.so.1: `apt-get install -y libgl1`'


def test_libraries_are_not_looked_for_on_a_wrong_machine(monkeypatch):
    monkeypatch.setattr(machine, 'machine_problem', lambda: 'wrong machine')
    monkeypatch.setattr(machine, 'python_problem', lambda: None)
    monkeypatch.setattr(machine, 'library_problem', lambda: pytest.fail('must not be asked'))
    assert machine.problems() == ['wrong machine']


def test_as_a_script_it_exits_with_the_reasons(monkeypatch, capsys):
    def load(name):
        raise OSError('not there')

    monkeypatch.setattr(ctypes, 'CDLL', load)
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(Path(machine.__file__)), run_name='__main__')
    assert caught.value.code == 1
    assert 'apt-get install' in capsys.readouterr().err


def test_runs_as_a_script_as_make_runs_it() -> None:
    """Its folder then comes first on the path: no module beside it may have the name of one it imports."""
    found = subprocess.run([sys.executable, machine.__file__], capture_output=True, text=True, check=False)
    assert found.returncode == (1 if machine.problems() else 0), found.stderr
    assert 'Traceback' not in found.stderr
