import subprocess
import sys
from pathlib import Path

import pytest
from helpers.small_pillars import write_small_net

from pointkd.cli.main import main
from pointkd.runtime.sidecar import read_side_car

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'export.py'


@pytest.fixture(scope='module')
def net(tmp_path_factory):
    return write_small_net(tmp_path_factory.mktemp('net'))


def test_it_exports_and_says_how_near_the_boxes_are(net, tmp_path, capsys):
    assert main(['export', str(net.config), str(net.checkpoint), '--to', 'onnx', '--out', str(tmp_path)]) == 0
    assert '20 clouds' in capsys.readouterr().out
    assert read_side_car(tmp_path).class_names == ('Pedestrian', 'Car')


def test_errors_are_one_line(net, tmp_path, capsys):
    assert main(['export', str(net.config), str(tmp_path / 'none.pth'), '--out', str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith('pointkd export: ')
    assert 'none.pth' in message


def test_clouds_that_are_not_there_are_an_error(net, tmp_path, capsys):
    arguments = ['export', str(net.config), str(net.checkpoint), '--out', str(tmp_path), '--verify-data', str(tmp_path)]
    assert main(arguments) == 2
    assert 'no *.bin file' in capsys.readouterr().err


def test_the_script_shows_its_options():
    ran = subprocess.run([sys.executable, str(TOOL), '--help'], capture_output=True, text=True, check=False)
    assert ran.returncode == 0
    for option in ('--to {onnx,tensorrt}', '--out DIR', '--verify-data'):
        assert option in ran.stdout
