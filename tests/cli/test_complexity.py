import json

import numpy as np
import pytest
from helpers.small_pillars import write_small_net

from pointkd.cli.main import main
from pointkd.core.kitti import write_points


@pytest.fixture(scope='module')
def net(tmp_path_factory):
    return write_small_net(tmp_path_factory.mktemp('net'))


def test_table(net, capsys):
    assert main(['complexity', str(net.config)]) == 0
    printed = capsys.readouterr().out
    assert '22,636' in printed
    assert 'one made-up cloud' in printed


def test_json_on_clouds(net, tmp_path, capsys):
    for number in range(3):
        write_points(tmp_path / f'{number}.bin', np.full((4, 4), 0.1 + 0.2 * number))
    assert main(['complexity', str(net.config), '--points', str(tmp_path), '--clouds', '2', '--json']) == 0
    result = json.loads(capsys.readouterr().out)
    assert result['params'] == 22636
    assert result['inputs']['count'] == 2
    assert result['macs'] == sum(part['macs'] for part in result['parts'].values())


def test_an_image_size_for_a_lidar_net_is_refused(net, capsys):
    assert main(['complexity', str(net.config), '--image-size', '64', '64']) == 2
    assert 'LiDAR' in capsys.readouterr().err


def test_a_cloud_out_of_range_is_an_error(net, tmp_path, capsys):
    write_points(tmp_path / 'a.bin', np.full((4, 4), 500.0))
    assert main(['complexity', str(net.config), '--points', str(tmp_path)]) == 2
    assert 'no point lies in the range' in capsys.readouterr().err
