import json
import os

import pytest
from helpers.small_pillars import export_small_net

from pointkd.cli.main import main


@pytest.fixture(scope='module')
def export(tmp_path_factory):
    return export_small_net(tmp_path_factory.mktemp('export'))


def test_table_and_json(export, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(os, 'getloadavg', lambda: (0.1, 0.1, 0.1))
    arguments = [
        'benchmark',
        str(export),
        str(export),
        '--runs',
        '2',
        '--threads',
        '1',
        '--json',
        str(tmp_path / 'a.json'),
    ]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert 'busy' not in printed.err
    for word in ('total', 'voxelise', 'network', 'decode', 'onnxruntime f32', 'pytorch f32', '22,636 parameters'):
        assert word in printed.out
    results = json.loads((tmp_path / 'a.json').read_text())
    assert len(results['exports']) == 2
    assert {'processor', 'cores', 'threads', 'load_average'} == set(results['machine'])


def test_a_busy_machine_is_told(export, capsys, monkeypatch):
    monkeypatch.setattr(os, 'getloadavg', lambda: (3.5, 1, 1))
    assert main(['benchmark', str(export), '--runs', '1', '--threads', '1']) == 0
    assert 'busy (load average 3.50)' in capsys.readouterr().err


def test_wrong_use_is_refused(export, tmp_path, capsys):
    assert main(['benchmark', str(export), '--runs', '0']) == 2
    assert main(['benchmark', str(tmp_path)]) == 2
    assert 'pointkd export' in capsys.readouterr().err
