"""The benchmark of the VisDrone evaluation: it measures both ways on the same files and compares their numbers."""

from __future__ import annotations

import importlib.util
import json
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).resolve().parents[2] / 'tools' / 'benchmarks' / 'visdrone_eval.py'


@pytest.fixture(scope='module')
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location('visdrone_eval', FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.long
def test_both_ways_give_the_same(
    benchmark: ModuleType,
    golden: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = golden / 'visdrone_eval_synthetic' / 's1_realistic'
    arguments = [
        '--labels',
        source / 'labels.tar.gz',
        '--sizes',
        source / 'sizes.json',
        '--out',
        tmp_path / 'times.json',
    ]
    monkeypatch.setattr(sys, 'argv', ['visdrone_eval.py', *map(str, arguments)])
    benchmark.main()
    assert 'times as long' in capsys.readouterr().out
    content = json.loads((tmp_path / 'times.json').read_text())
    assert content['images'] == 20
    assert content['detections'] > 300
    assert content['contenders']['loop']['largest_difference'] < 1e-9
    assert len(content['contenders']['pointkd']['processor_s']) == 1


def test_made_detections_depend_on_the_seed_only(benchmark: ModuleType, golden: Path, tmp_path: Path) -> None:
    with tarfile.open(golden / 'visdrone_eval_synthetic' / 's1_realistic' / 'labels.tar.gz') as content:
        content.extractall(tmp_path, filter='data')
    texts = []
    for number, seed in enumerate((0, 0, 1)):
        folder = tmp_path / str(number)
        folder.mkdir()
        benchmark.make_results(tmp_path / 'labels', folder, seed)
        texts.append({path.name: path.read_text() for path in folder.iterdir()})
    assert texts[0] == texts[1] != texts[2]
    scores = [float(line.split(',')[4]) for line in texts[0]['made_up_000.txt'].splitlines()]
    assert scores == sorted(scores, reverse=True)
