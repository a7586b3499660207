"""`pointkd prune` on a small PointPillars: what it writes, prints and refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from helpers.small_pillars import SmallNet, write_small_net

from pointkd.cli.main import main
from pointkd.cli.prune import number


@pytest.fixture(scope='module')
def net(tmp_path_factory: pytest.TempPathFactory) -> SmallNet:
    """A small PointPillars."""
    torch.set_num_threads(1)
    return write_small_net(tmp_path_factory.mktemp('net'))


def prune(net: SmallNet, out: Path, *words: object) -> int:
    """Run the command."""
    return main(['prune', str(net.config), str(net.checkpoint), '--out', str(out), *map(str, words)])


def test_a_pruned_detector_exports_and_is_pruned_again(net, tmp_path, capsys) -> None:
    assert prune(net, tmp_path / 'once', '--ratio', 0.5, '--runs', 3) == 0
    printed = capsys.readouterr().out
    record = json.loads((tmp_path / 'once' / 'prune.json').read_text())
    assert f'params: {record["params"][0]:,} -> {record["params"][1]:,}' in printed
    assert record['latency']['dense']['runs'] == 3
    page = (tmp_path / 'once' / 'report.html').read_text()
    assert 'backbone.blocks.0.0' in page
    assert re.search(r'ONNX Runtime, ms', page)
    files = [str(tmp_path / 'once' / name) for name in ('pruned.py', 'pruned.pth')]
    assert main(['export', *files, '--out', str(tmp_path / 'export')]) == 0
    side_car = json.loads((tmp_path / 'export' / 'model.json').read_text())
    assert side_car['parameters'] == record['params'][1]

    again = SmallNet(*map(Path, files))
    assert prune(again, tmp_path / 'twice', '--ratio', 0.5, '--runs', 0, '--multiple', 4) == 0
    twice = json.loads((tmp_path / 'twice' / 'prune.json').read_text())
    assert twice['params'][0] == record['params'][1]
    plan = json.loads((tmp_path / 'twice' / 'plan.json').read_text())
    assert plan['layers']['backbone.blocks.1.0']['dense'] == [16, 32]
    assert len(plan['layers']['backbone.blocks.1.0']['outputs']) == 8
    capsys.readouterr()
    assert main(['complexity', str(tmp_path / 'twice' / 'pruned.py'), '--json']) == 0
    assert json.loads(capsys.readouterr().out)['params'] == twice['params'][1]


def test_counts_as_targets(net, tmp_path) -> None:
    assert prune(net, tmp_path, '--target-macs', '0.8M', '--runs', 0, '--multiple', 1, '--scope', 'global') == 0
    record = json.loads((tmp_path / 'prune.json').read_text())
    assert 0.6e6 < record['macs'][1] <= 0.8e6


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--ratio', '1.5'], 'ratio 1.5: expected a share'),
        (['--ratio', '0.97'], 'would empty'),
        (['--ratio', '0.5', '--keep', 'neckk'], "did you mean 'neck'"),
        (['--ratio', '0.5', '--importance', 'taylor'], 'needs a train_dataloader'),
        (['--target-params', '1G'], 'nothing is to be pruned'),
        (['--target-latency', '-3'], 'expected a number above 0'),
        (['--target-latency', '3', '--runs', '0'], 'needs timed runs'),
    ],
)
def test_what_is_refused_overwrites_nothing(net, tmp_path, capsys, words: list[str], message: str) -> None:
    (tmp_path / 'pruned.pth').write_text('mine')
    assert prune(net, tmp_path, *words) == 2
    assert message in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ['pruned.pth']
    assert (tmp_path / 'pruned.pth').read_text() == 'mine'


def test_a_sparsity_record_beside_the_checkpoint_is_drawn_or_refused(tmp_path, capsys) -> None:
    net = write_small_net(tmp_path / 'net')
    history = [{'at': 1, 'rate': 0.1, 'near_zero': 0.25, 'histogram': [1] * 60}]
    record = tmp_path / 'net' / 'sparsity.json'
    record.write_text(json.dumps({'unit': 'epoch', 'layers': ['neck'], 'history': history}))
    assert prune(net, tmp_path / 'out', '--ratio', 0.5, '--runs', 0) == 0
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert '25.0% of all scales are below 0.001 after epoch 1' in page
    assert 'data:image/png' in page
    record.write_text('{}')
    assert prune(net, tmp_path / 'other', '--ratio', 0.5, '--runs', 0) == 2
    assert 'is no record of a sparsity training' in capsys.readouterr().err
    assert not (tmp_path / 'other').exists()


def test_a_checkpoint_of_another_model_is_refused(net, tmp_path, capsys) -> None:
    other = write_small_net(tmp_path / 'other', middle_encoder__in_channels=24, voxel_encoder__feat_channels=[24],
                            backbone__in_channels=24)  # fmt: skip
    assert prune(SmallNet(net.config, other.checkpoint), tmp_path / 'out', '--ratio', 0.5) == 2
    assert 'does not belong to this VoxelNet' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_a_plan_of_another_config_is_refused(net, tmp_path, capsys) -> None:
    assert prune(net, tmp_path, '--ratio', 0.5, '--runs', 0) == 0
    text = (tmp_path / 'pruned.py').read_text()
    (tmp_path / 'wrong.py').write_text(text + "model['backbone']['out_channels'] = [16, 64]\n")
    assert main(['export', str(tmp_path / 'wrong.py'), str(tmp_path / 'pruned.pth'), '--out', str(tmp_path / 'x')]) == 2
    assert 'the plan was made for' in capsys.readouterr().err


def test_numbers_with_a_letter() -> None:
    assert number('6.8M') == 6.8e6
    assert number('2k') == 2000
    assert number('1e9') == 1e9
