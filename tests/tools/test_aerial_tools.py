"""The statistics of aerial images: windows of frames are cut right, the file is written, the comparison is printed."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pointkd.datasets.synthetic_aerial import AerialSettings, generate
from pointkd.datasets.synthetic_aerial.statistics import parse

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    specification = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, name, module)
    specification.loader.exec_module(module)
    return module


def rows(*entries: tuple[int, ...]) -> np.ndarray:
    return np.array(entries, dtype=float).reshape(-1, 8)


def test_a_window_cuts_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = script('aerial_statistics', monkeypatch)
    labels = tool.cut(
        rows(
            (110, 110, 20, 10, 1, 4, 0, 1),  # inside
            (90, 110, 18, 10, 1, 5, 0, 0),  # 8 of 18 inside: gone
            (92, 150, 16, 10, 1, 1, 0, 2),  # half inside: cut
            (0, 0, 110, 110, 0, 0, 0, 0),  # ignored regions are cut, however little is inside
            (300, 300, 10, 10, 1, 4, 0, 0),
        ),
        left=100,
        top=100,
        side=100,
    )
    assert labels.boxes * 100 == pytest.approx(np.array([[10, 10, 20, 10], [0, 50, 8, 10], [0, 0, 10, 10]]))
    assert labels.categories.tolist() == [4, 1, 0]
    assert labels.truncation.tolist() == [0, 1, 1]
    assert labels.occlusion.tolist() == [1, 2, 0]


def test_windows_cover_a_frame_and_leave_out_empty_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = script('aerial_statistics', monkeypatch)
    objects = rows((10, 10, 20, 20, 1, 4, 0, 0), (170, 80, 10, 10, 1, 1, 0, 0), (60, 60, 30, 30, 0, 11, 0, 0))
    assert [window.categories.tolist() for window in tool.windows(objects, 200, 100)] == [[4], [1]]
    assert list(tool.windows(rows(), 200, 100)) == []


def test_the_file_is_written_from_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = script('aerial_statistics', monkeypatch)
    monkeypatch.setattr('pointkd.datasets.synthetic_aerial.copula.SIMULATED', 400)
    rng = np.random.default_rng(0)
    with tarfile.open(tmp_path / 'made.tar.gz', 'w:gz') as archive:
        for number in range(20):
            lines = [
                f'{rng.integers(0, 180)},{rng.integers(0, 80)},{rng.integers(1, 20)},9,1,{category},0,0,'
                for category in range(1, 11)
                for _ in range(rng.integers(1, 4))
            ]
            content = '\n'.join([*lines, '5,5,7,0,1,4,0,0']).encode()  # a comma at the end, a row without area
            member = tarfile.TarInfo(f'annotations/{number}.txt')
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    (tmp_path / 'made_sizes.json').write_text(json.dumps({str(number): [200, 100] for number in range(20)}))
    out = tmp_path / 'statistics.json'
    monkeypatch.setattr(sys, 'argv', ['aerial_statistics.py', str(tmp_path), '--split', 'made', '--out', str(out)])
    tool.main()
    statistics = parse(json.loads(out.read_text()))
    assert statistics.correlation.shape == (11, 11)
    assert np.linalg.eigvalsh(statistics.correlation).min() > 0
    assert statistics.quantiles.shape == (10, 10)
    assert max(map(len, out.read_text().splitlines())) > 200  # a list a line


def test_the_comparison_is_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(AerialSettings(images=2, val=0, test=0, size=96, jobs=1), tmp_path)
    tool = script('aerial_comparison', monkeypatch)
    monkeypatch.setattr(sys, 'argv', ['aerial_comparison.py', str(tmp_path)])
    tool.main()
    lines = capsys.readouterr().out.splitlines()
    assert '2 generated images' in lines[0]
    assert len({line.count('|') for line in lines if line.startswith('| ') and 'real / generated' in line}) == 1
    assert sum(line.startswith(('| car |', '| motor |')) for line in lines) == 2
