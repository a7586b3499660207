"""`pointkd doctor`: lines, JSON, exit code, and what it says where the training stack is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointkd.cli import doctor as verb
from pointkd.cli.main import main
from pointkd.io import doctor
from pointkd.io.doctor import Finding


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make everything but the packages pass at once."""
    monkeypatch.setattr(doctor, 'opencv', lambda: Finding('OpenCV', 'ok', 'headless'))
    monkeypatch.setattr(verb, 'self_test', lambda: iter([Finding('voxelise', 'ok', 'done')]))


@pytest.mark.usefixtures('healthy')
def test_one_line_a_finding_and_exit_code_0(capsys: pytest.CaptureFixture) -> None:
    assert main(['doctor']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == 'all is well'
    assert {line.split()[0] for line in lines[:-1]} <= {'ok', 'warn'}
    assert any(line.startswith('ok    torch ') for line in lines)


@pytest.mark.usefixtures('healthy')
def test_json_holds_the_same(capsys: pytest.CaptureFixture) -> None:
    assert main(['doctor', '--json']) == 0
    report = json.loads(capsys.readouterr().out)
    assert report['ok'] is True
    assert {'name', 'status', 'found', 'advice'} == report['findings'][0].keys()
    assert report['findings'][-1]['name'] == 'voxelise'


@pytest.mark.usefixtures('healthy')
def test_a_missing_package_fails_and_the_self_test_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    version = doctor.installed_version
    monkeypatch.setattr(doctor, 'installed_version', lambda name: None if name == 'mmengine' else version(name))
    assert main(['doctor']) == 1
    out = capsys.readouterr().out
    assert 'fail  mmengine' in out
    assert "pip install 'mmengine==0.10.7'" in out
    assert 'warn  self-test' in out
    assert out.splitlines()[-1] == '1 failed: mmengine'


def test_a_failing_self_test_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Finding]:
        yield Finding('rotated NMS', 'fail', 'wrong')

    monkeypatch.setattr(verb, 'self_test', broken)
    assert main(['doctor']) == 1


def test_runtime_only_looks_at_the_light_install(capsys: pytest.CaptureFixture) -> None:
    assert main(['doctor', '--runtime']) == 0
    out = capsys.readouterr().out
    assert 'onnxruntime' in out
    assert 'torch' not in out


def test_works_where_torch_and_mmengine_can_not_be_imported() -> None:
    script = (
        'import sys; sys.modules.update(torch=None, mmengine=None)\n'
        'from pointkd.cli.main import main\n'
        "sys.exit(main(['doctor']))"
    )
    result = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert 'fail  self-test' in result.stdout
    assert 'Traceback' not in result.stderr


def test_works_on_a_python_without_any_package() -> None:
    repository = Path(__file__).resolve().parents[2]
    command = [sys.executable, '-S', '-m', 'pointkd.cli.main', 'doctor']
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=repository)
    assert result.returncode == 1
    assert 'not installed' in result.stdout
    assert not result.stderr
