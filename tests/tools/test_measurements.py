"""The section of measurements matches its JSONs, and says so when it does not."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


@pytest.fixture
def measurements(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module."""
    specification = importlib.util.spec_from_file_location('measurements', TOOLS / 'measurements.py')
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, 'measurements', module)
    specification.loader.exec_module(module)
    return module


def test_the_page_matches(measurements: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'argv', ['measurements.py', '--check'])
    measurements.main()


def test_every_json_is_shown(measurements: ModuleType) -> None:
    known = {entry.name for entry in measurements.MEASUREMENTS}
    assert {path.stem for path in measurements.FOLDER.glob('*.json')} <= known


def test_a_changed_page_is_written_again(
    measurements: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = tmp_path / 'results.md'
    page.write_text(f'Before.\n{measurements.BEGIN}\nstale\n{measurements.END}\nAfter.\n')
    monkeypatch.setattr(measurements, 'DOCS', tmp_path)
    monkeypatch.setattr(sys, 'argv', ['measurements.py', '--check'])
    with pytest.raises(SystemExit, match='differ from their JSONs'):
        measurements.main()
    monkeypatch.setattr(sys, 'argv', ['measurements.py'])
    measurements.main()
    text = page.read_text()
    assert text.startswith('Before.\n')
    assert text.endswith('After.\n')
    assert 'stale' not in text
    monkeypatch.setattr(sys, 'argv', ['measurements.py', '--check'])
    measurements.main()


def test_a_page_without_marks(measurements: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / 'results.md').write_text('nothing here')
    monkeypatch.setattr(measurements, 'DOCS', tmp_path)
    monkeypatch.setattr(sys, 'argv', ['measurements.py'])
    with pytest.raises(SystemExit, match='are missing'):
        measurements.main()
