"""`pointkd create-data visdrone` and `check-data visdrone`: what is printed, and how they fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.visdrone_frames import ROWS, write_image, write_root

from pointkd.cli._create_visdrone import parse_lists
from pointkd.cli.main import main
from pointkd.core.errors import ConfigError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_root(tmp_path / 'visdrone')


def test_create(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / 'out'
    arguments = ['create-data', 'visdrone', '--root', str(root), '--out', str(out), '--slice', '64', '--jobs', '1']
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert f'{out}: 3 train, 2 val images' in printed
    assert 'slices: 18 train, 12 val' in printed
    assert '5 ignored regions, 5 pedestrian, 0 people, 0 bicycle, 5 car' in printed
    assert f'written: {out}/visdrone_val.json' in printed
    assert len(json.loads((out / 'visdrone_train_slices.json').read_text())['images']) == 18


def test_create_says_what_it_repaired(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(root / 'VisDrone2019-DET-train', 'b', (*ROWS, *[f'{x},1,500,5,1,4,0,0' for x in range(12)], ROWS[0]))
    arguments = ['create-data', 'visdrone', '--root', str(root), '--parts', 'train', '--jobs', '1']
    assert main(arguments) == 2
    assert '--repair clips such boxes' in capsys.readouterr().err
    assert main([*arguments, '--repair']) == 0
    printed = capsys.readouterr().out
    assert 'clipped or left out: 12' in printed
    assert '... and 2 more' in printed
    assert 'worth a look: 1\n' in printed
    assert not (root / 'visdrone_val.json').exists()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--slice', '0'], 'side of a tile'),
        (['--slice', '64', '--overlap', '1'], 'overlap of tiles'),
        (['--parts', 'trian'], "did you mean 'train'"),
        (['--lists', 'train'], 'expected PART=FILE'),
        (['--lists', 'train=x.txt'], 'has parts of its own'),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['create-data', 'visdrone', '--root', str(root), '--jobs', '1', *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(root.glob('*.json'))


def test_lists() -> None:
    assert parse_lists(['train=a.txt', 'val=b=c.txt']) == {'train': 'a.txt', 'val': 'b=c.txt'}
    for wrong in (['train='], ['=a'], ['a/b=c'], ['train=a', 'train=b']):
        with pytest.raises(ConfigError, match='--lists'):
            parse_lists(wrong)


def test_check(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['check-data', 'visdrone', str(root), '--jobs', '1']) == 0
    assert 'Nothing is broken.' in capsys.readouterr().out
    write_image(root / 'VisDrone2019-DET-train', 'b', ('1,2,3',))
    assert main(['check-data', 'visdrone', str(root), '--jobs', '1']) == 1
    assert 'b.txt:1: expected 8 columns or more, got 3' in capsys.readouterr().out
    assert main(['check-data', 'visdrone', str(root), '--json', '--jobs', '1']) == 1
    assert json.loads(capsys.readouterr().out)['broken_images'] == ['train/b']
    assert main(['check-data', 'visdrone', str(root / 'nowhere')]) == 2
