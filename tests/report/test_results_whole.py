"""A tiny suite from nothing to its tables: a teacher, five trainings, a pruning, a `kill -9` in the middle, a check."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers.small_kitti import small_kitti
from torch import nn

from pointkd.cli.main import main
from pointkd.core.errors import TrainingError
from pointkd.io.checkpoints import read_checkpoint
from pointkd.report.results import runs, stages
from pointkd.report.results.kinds import kitti
from pointkd.report.results.layout import ChannelsLastHook
from pointkd.report.results.places import CHECKOUT, Places
from pointkd.report.results.records import read_record

ITERATIONS = 12
SUITE = f"""
suite = dict(
    title='Tiny',
    numerics=dict(precision='f32', threads=1, memory_format='channels_last'),
    control='plain',
    seeds=2,
    teachers=dict(big=dict(dataset='streets', config='big', schedule=dict(iterations=3, batch_size=1), sha256=None)),
    datasets=[
        dict(
            name='streets',
            title='Streets',
            make='create-data synthetic-kitti --scenes 5 --seed 1 --jobs 1',
            frames=dict(train=2, val=1, test=2),
            prepare='--jobs 1',
            configs=dict(small='configs/small.py', big='configs/big.py'),
            classes=['Car', 'Pedestrian', 'Cyclist'],
            columns=[dict(title='3D mean'), dict(title='BEV 0.3', metric='bev', overlaps='0.3')],
            overlaps={{'0.3': {{'Car': 0.3}}}},
            schedule=dict(iterations={ITERATIONS}, batch_size=1),
            teacher='big',
        )
    ],
    arms=[
        dict(name='plain', title='alone', config='small'),
        dict(
            name='graph',
            title='LocalGraph',
            config='small',
            methods=[dict(type='LocalGraph', student='voxel_encoder', weight=1.0, samples=50, neighbors=4)],
        ),
        dict(
            name='pruned',
            title='half of it',
            config='small',
            seeds=1,
            longer=0.5,
            start=dict(arm='plain', prune='--ratio 0.5 --multiple 2'),
            learns_from='plain',
            methods=[dict(type='Logits', student='bbox_head.conv_cls', weight=1.0)],
        ),
    ],
)
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A checkout with a tiny suite, and no data yet."""
    (tmp_path / 'configs' / 'results').mkdir(parents=True)
    for name, width in (('small', 8), ('big', 16)):
        small_kitti(Path('data/tiny'), width=width, pasting=False).dump(str(tmp_path / 'configs' / f'{name}.py'))
    (tmp_path / 'configs' / 'results' / 'tiny.py').write_text(SUITE)
    (tmp_path / 'docs').mkdir()
    (tmp_path / 'docs' / 'results.md').write_text('<!-- results:tiny:begin -->\n<!-- results:tiny:end -->\n')
    return Places(tmp_path, 'tiny')


@pytest.fixture
def same_process(places: Places, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Run the commands of a suite in this process, which has everything loaded."""
    monkeypatch.chdir(places.home)
    torch.set_num_threads(1)

    def run_verb(words: list[str], *, home: Path, threads: int, output: Path) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = main(words)
        output.parent.mkdir(parents=True, exist_ok=True)
        with open(output, 'a') as file:
            file.write(f'\n$ pointkd {" ".join(words)}\n{printed.getvalue()}')
        if code:
            raise TrainingError(printed.getvalue())
        return printed.getvalue()

    for module in (kitti, runs, stages):
        monkeypatch.setattr(module, 'run_verb', run_verb)
    return monkeypatch


def results(places: Places, *words: str) -> int:
    return main(['results', 'tiny', '--home', str(places.home), *words])


def kill_in_training(places: Places, last: Path) -> None:
    """Start the suite in a process of its own, and kill it once a checkpoint of its first training is there."""
    command = [sys.executable, '-m', 'pointkd.cli.main', 'results', 'tiny', '--home', str(places.home)]
    process = subprocess.Popen([*command, '--only', 'plain'], stdout=subprocess.DEVNULL, cwd=CHECKOUT)
    end = time.monotonic() + 120
    while not last.is_file():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    process.kill()
    process.wait()


@pytest.mark.long
@pytest.mark.usefixtures('same_process')
def test_a_tiny_suite_with_a_kill(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    assert results(places, '--make-teacher', 'big') == 0
    found = re.search(r"sha256='([0-9a-f]{64})'", capsys.readouterr().out)
    assert found is not None
    suite = places.home / 'configs' / 'results' / 'tiny.py'
    suite.write_text(suite.read_text().replace('sha256=None', f'sha256={found.group(1)!r}'))

    folder = places.run('streets', 'plain', 0)
    kill_in_training(places, folder / 'last.pth')
    assert read_checkpoint(folder / 'last.pth')['meta']['iter'] < ITERATIONS
    assert places.records() == []

    assert results(places) == 0
    assert '--resume' in (folder / 'output.txt').read_text()
    assert [path.name for path in places.records()] == [
        'graph-0.json',
        'graph-1.json',
        'plain-0.json',
        'plain-1.json',
        'pruned-0.json',
        'teacher-0.json',
    ]
    check_records(places)
    capsys.readouterr()
    assert results(places, '--list') == 0
    assert '6 of 6 runs are done' in capsys.readouterr().out
    assert results(places, '--check') == 0
    table = places.page.read_text()
    assert '| LocalGraph | alone | 2 |' in table

    path = places.record('streets', 'plain', 0)
    path.write_text(json.dumps({**json.loads(path.read_text()), 'params': 1}))
    assert results(places, '--check') == 1


def check_records(places: Places) -> None:
    """Assert what the records of the tiny suite must say."""
    records = {path.stem: read_record(path) for path in places.records()}
    for name, record in records.items():
        assert set(record['metrics']) == {'official', '0.3'}
        assert set(record['metrics']['0.3']['Car']) == {'bbox', 'bev', '3d'}
        assert record['frames'] == 2
        assert record['numerics'] == {'precision': 'f32', 'threads': 1, 'memory_format': 'channels_last'}
        trained = not name.startswith('teacher')
        iterations = ITERATIONS // {'pruned-0': 2}.get(name, 1) if trained else 0
        assert (record['iterations'], len(record['curve'])) == (iterations, iterations)
        assert 'loss' in record['losses'] if trained else record['train_seconds'] is None
    assert 'loss_local_graph' in records['graph-0']['losses']
    assert records['plain-0']['config'] == records['plain-1']['config'] != records['graph-0']['config']
    assert records['plain-0']['params'] == records['graph-1']['params'] < records['teacher-0']['params']
    assert records['pruned-0']['params'] < records['plain-0']['params']
    assert 'loss_logits' in records['pruned-0']['losses']
    assert records['plain-0']['curve'] != records['plain-1']['curve']


def test_the_layout_hook_turns_convolutions() -> None:
    student, teacher = torch.nn.Conv2d(4, 4, 3), torch.nn.Conv2d(4, 4, 3)
    student.teacher = SimpleNamespace(network=teacher)  # type: ignore[assignment]
    runner: Any = SimpleNamespace(network=student)
    ChannelsLastHook().before_run(runner)
    assert student.weight.is_contiguous(memory_format=torch.channels_last)
    assert teacher.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_network_that_would_crash_channels_last_is_refused() -> None:
    runner: Any = SimpleNamespace(network=nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.Conv2d(8, 16, 1, stride=2)))
    with pytest.raises(TrainingError, match=r"1: the backward pass .* memory_format='contiguous'"):
        ChannelsLastHook().before_run(runner)
