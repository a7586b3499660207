"""The parts of a run: processes, data, work folders, logs, teachers, tuning, calibration."""

from __future__ import annotations

import contextlib
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from report.test_results_made import SUITE, add_record, make_home, read_made

from pointkd.core.errors import CheckpointError, ConfigError, DataError, TrainingError
from pointkd.core.files import sha256, write_json
from pointkd.io.checkpoints import read_checkpoint
from pointkd.report.results import calibrate, data, execute, processes, runs, stages, tune
from pointkd.report.results.calibrate import in_turns, stepping_words
from pointkd.report.results.history import read_history, thinned
from pointkd.report.results.jobs import arm_job
from pointkd.report.results.kinds import images, kitti
from pointkd.report.results.locks import only_one
from pointkd.report.results.plan import State
from pointkd.report.results.records import read_json, read_record, write_compact
from pointkd.report.results.teachers import check_teacher, pack


def test_a_command_that_fails_shows_its_last_line(tmp_path: Path) -> None:
    output = tmp_path / 'run' / 'output.txt'
    with pytest.raises(TrainingError, match=r'`pointkd nonsense` ended with code 2: pointkd: no verb'):
        processes.run_verb(['nonsense'], home=tmp_path, threads=1, output=output)
    assert '$ pointkd nonsense' in output.read_text()
    assert processes.run_verb(['--version'], home=tmp_path, threads=1, output=output).strip()
    environment = processes.environment(3)
    assert (environment['OMP_NUM_THREADS'], environment['OMP_WAIT_POLICY']) == ('3', 'PASSIVE')
    assert environment['CUDA_VISIBLE_DEVICES'] == ''


def test_a_command_dies_with_the_one_that_started_it(tmp_path: Path) -> None:
    script = (
        'import subprocess, sys\n'
        'from pointkd.report.results.processes import die_with_parent\n'
        'child = subprocess.Popen(["sleep", "60"], preexec_fn=die_with_parent)\n'
        'print(child.pid, flush=True)\n'
        'child.wait()\n'
    )
    parent = subprocess.Popen([sys.executable, '-c', script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    for _ in range(100):
        state = Path(f'/proc/{child}/stat')
        if not state.is_file() or state.read_text().split()[2] == 'Z':
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail('the child lives on')


def test_one_process_at_a_time(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    with (
        only_one(places),
        pytest.raises(ConfigError, match="another process works on the suite 'made'"),
        only_one(places),
    ):
        pass
    with only_one(places):
        pass


def test_a_work_folder_of_another_job_is_deleted(tmp_path: Path) -> None:
    folder = tmp_path / 'run'
    stages.claim(folder, {'config': 'a', 'seed': 0})
    (folder / 'last.pth').touch()
    stages.claim(folder, {'config': 'a', 'seed': 0})
    assert (folder / 'last.pth').is_file()
    stages.claim(folder, {'config': 'b', 'seed': 0})
    assert not (folder / 'last.pth').exists()


def test_the_history_joins_the_attempts_of_a_killed_run(tmp_path: Path) -> None:
    def log(attempt: str, entries: list[dict], rest: str = '') -> None:
        folder = tmp_path / attempt / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text(''.join(json.dumps(entry) + '\n' for entry in entries) + rest)

    def entry(step: int, loss: float) -> dict[str, float]:
        return {'step': step, 'loss': loss + 9, 'loss_cls': loss, 'loss_local_graph': 9.0, 'time': 0.5}

    log('20260101_000000', [entry(10, 3.0), entry(20, 8.0)], rest='{"step": 30, "lo')
    log('20260101_000100', [entry(20, 2.0), entry(30, 1.0), {'step': 30, 'AP': 4.0}])
    history = read_history(tmp_path, ['loss_cls', 'loss_bbox'])
    assert history.curve == [[10, 3.0], [20, 2.0], [30, 1.0]]
    assert history.losses == {'loss': 10.0, 'loss_cls': 1.0, 'loss_local_graph': 9.0}
    assert history.seconds == 15.0
    assert read_history(tmp_path / 'none', []).curve == []
    assert thinned([[float(n), 0.0] for n in range(1, 101)], 50)[-1] == [100.0, 0.0]
    assert len(thinned([[float(n), 0.0] for n in range(120)], 50)) == 50


def test_made_data_are_cut_into_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = make_home(tmp_path)
    streets = read_made(places).datasets[1]
    commands: list[list[str]] = []

    def verb(words: list[str], **settings: Any) -> str:
        commands.append(words)
        if words[1] == 'synthetic-kitti':
            for number in range(6):
                cloud = places.data('streets') / 'training' / 'velodyne' / f'{number:06d}.bin'
                cloud.parent.mkdir(parents=True, exist_ok=True)
                cloud.touch()
        return ''

    monkeypatch.setattr(kitti, 'run_verb', verb)
    folder = data.prepare(places, streets, {}, lambda line: None)
    assert kitti.frames_of(streets, folder, 'test') == ['000004', '000005']
    assert kitti.frames_of(streets, folder, 'val') == ['000003']
    assert commands[0] == ['create-data', 'synthetic-kitti', '--scenes', '6', '--out', str(folder)]
    assert commands[1][-1] == 'train=results_train,val=results_val,test=results_test'
    data.prepare(places, streets, {}, lambda line: None)
    assert len(commands) == 2
    more = SUITE.replace('val=1, test=2', 'val=1, test=9').replace('SHA256', 'None')
    (tmp_path / 'configs' / 'results' / 'made.py').write_text(more)
    with pytest.raises(ConfigError, match='makes 6 frames, the lists need 13'):
        data.prepare(places, read_made(places).datasets[1], {}, lambda line: None)


def test_data_of_the_user_are_found_or_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cars = read_made(make_home(tmp_path)).datasets[0]
    monkeypatch.setenv(data.SHARED, str(tmp_path / 'shared'))
    with pytest.raises(DataError, match='--data cars=DIR'):
        data.source_folder(cars, {})
    (tmp_path / 'shared' / 'data' / 'cars' / 'training').mkdir(parents=True)
    assert data.source_folder(cars, {}) == tmp_path / 'shared' / 'data' / 'cars'
    (tmp_path / 'mine' / 'training').mkdir(parents=True)
    assert data.source_folder(cars, {'cars': tmp_path / 'mine'}) == tmp_path / 'mine'


IMAGES = """
suite = dict(
    title='Made up',
    numerics=dict(precision='f32', threads=1),
    control='plain',
    datasets=[
        dict(
            name='streets',
            title='Streets',
            kind='images',
            root='streets',
            prepare='create-data camvid --root {root} --out {out}',
            frames=dict(train=9, val=3, test=4),
            parts=dict(val={'test_dataloader.dataset.split': 'val'}, test={'test_evaluator.file': '{data}/test.json'}),
            configs=dict(net='configs/net.py'),
            schedule=dict(iterations=100),
            classes=['road'],
            columns=[dict(title='mIoU', metric='mIoU')],
        ),
    ],
    arms=[dict(name='plain', title='alone', config='net')],
)
"""


def test_images_are_tested_by_the_evaluator_of_their_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = make_home(tmp_path, IMAGES)
    suite = read_made(places)
    streets, kind = suite.datasets[0], images.Images()
    commands: list[list[str]] = []
    monkeypatch.setattr(images, 'run_verb', lambda words, **settings: commands.append(words))
    (tmp_path / 'mine').mkdir()
    folder = data.prepare(places, streets, {'streets': tmp_path / 'mine'}, lambda line: None)
    assert commands == [['create-data', 'camvid', '--root', str(tmp_path / 'mine'), '--out', str(folder)]]
    job = arm_job(suite, streets, suite.arms[0], 0)
    assert job.words('/here')[-1] == "test_evaluator.file='/here/test.json'"
    write_json(tmp_path / 'run' / images.WRITTEN, {'mIoU': 41.234567, 'IoU.train': None, 'note': 'text'})
    metrics, frames = kind.score(streets, folder, tmp_path / 'run', 'test')
    assert (metrics, frames) == ({'mIoU': 41.2346, 'IoU.train': None}, 4)
    assert kind.value(metrics, streets, streets.columns[0]) == 41.2346
    assert kind.value({'mIoU': None}, streets, streets.columns[0]) == 0.0
    with pytest.raises(DataError, match=r"no metric 'mIoU'.*mIoUs"):
        kind.value({'mIoUs': 1.0}, streets, streets.columns[0])
    with pytest.raises(DataError, match='metric mIoU is 101'):
        kind.value({'mIoU': 101}, streets, streets.columns[0])
    assert 'there is no folder' in str(kind.check_source(streets, tmp_path / 'none'))


@pytest.mark.parametrize(
    ('written', 'instead', 'message'),
    [
        ('parts=dict(val={', 'parts=dict(value={', 'parts must have val, test; got value, test'),
        ('frames=dict(train=9, val=3, test=4)', 'frames=dict(test=4)', 'frames must have train, val, test; got test'),
        ("kind='images'", "kind='image'", "kind: no 'image'"),
    ],
)
def test_images_need_their_parts(tmp_path: Path, written: str, instead: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_made(make_home(tmp_path, IMAGES.replace(written, instead)))


def test_json_keeps_short_lists_on_a_line_and_refuses_nan(tmp_path: Path) -> None:
    write_compact(tmp_path / 'a.json', {'metrics': {'3d': [1.5, None]}, 'curve': [[1, 2.0], [2, 1.0]], 'empty': []})
    assert '"3d": [1.5, null]' in (tmp_path / 'a.json').read_text()
    assert '  [1, 2.0],\n' in (tmp_path / 'a.json').read_text()
    assert read_json(tmp_path / 'a.json')['curve'] == [[1, 2.0], [2, 1.0]]
    with pytest.raises(ValueError, match='JSON compliant'):
        write_compact(tmp_path / 'b.json', {'ap': float('nan')})


def test_teachers_are_packed_in_half_precision(tmp_path: Path) -> None:
    state = {'weight': torch.full((3,), 0.1), 'bn.num_batches_tracked': torch.tensor(7)}
    torch.save({'state_dict': state, 'optimizer': {'big': torch.zeros(10)}}, tmp_path / 'last.pth')
    pack(tmp_path / 'last.pth', tmp_path / 'packed.pth', {'seed': 1})
    packed = read_checkpoint(tmp_path / 'packed.pth')
    assert set(packed) == {'state_dict', 'meta'}
    assert packed['state_dict']['weight'].dtype == torch.float16
    assert packed['state_dict']['bn.num_batches_tracked'] == 7
    assert packed['meta']['pointkd'] == {'seed': 1}
    torch.save({'state_dict': {'weight': torch.zeros(1_000_001)}}, tmp_path / 'large.pth')
    with pytest.raises(CheckpointError, match=r'would have 2\.00 MB'):
        pack(tmp_path / 'large.pth', tmp_path / 'other.pth', {})
    assert not (tmp_path / 'other.pth').exists()


def test_only_the_teacher_of_the_suite_teaches(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    suite = read_made(places)
    check_teacher(places, suite, 'big')
    (places.home / 'data/teachers/big.pth').write_text('changed')
    with pytest.raises(CheckpointError, match=sha256(places.home / 'data/teachers/big.pth')):
        check_teacher(places, suite, 'big')


def made_up_run(monkeypatch: pytest.MonkeyPatch, places: Any, ap: Any) -> list[Any]:
    """Replace trainings by made-up records; return the list of jobs that will be asked for."""
    asked: list[Any] = []
    template = add_record(places, 'cars', 'plain', 0, 40.0)

    def carry_out(job: Any, folder: Path, **settings: Any) -> dict[str, Any]:
        asked.append(job)
        value = ap(job)
        if isinstance(value, Exception):
            raise value
        metrics = {'official': {name: {'3d': [value] * 3, 'bev': [value] * 3} for name in job.dataset.classes}}
        metrics['0.5'] = metrics['official']
        identity = {'dataset': job.dataset.name, 'row': job.row, 'seed': job.seed, 'iterations': job.iterations}
        entries = {name: value for name, value in template.items() if name not in ('suite', 'digest')}
        return {**entries, **identity, 'config': job.fingerprint(places.home), 'metrics': metrics}

    for module in (execute, tune):
        monkeypatch.setattr(module, 'carry_out', carry_out)
        monkeypatch.setattr(module, 'prepare', lambda places, dataset, given, say: places.data(dataset.name))
    return asked


def test_runs_follow_each_other_and_a_failure_stops_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = make_home(tmp_path)
    suite = read_made(places)
    errors = {'graph': TrainingError('out of memory'), 'teacher': DataError('no such folder')}
    asked = made_up_run(monkeypatch, places, lambda job: errors.get(job.row, 41.0))
    lines: list[str] = []
    choice = execute.Choice(datasets=['cars'], seeds=1)
    assert execute.execute(suite, places, choice, lines.append) == 2
    assert [job.row for job in asked] == ['teacher', 'graph', 'wide']
    assert lines[0].startswith('[1/3] cars teacher seed 0: about 40 s')
    assert '  cars graph seed 0 failed: out of memory' in lines
    assert '  cars teacher seed 0 failed: no such folder' in lines
    errors.clear()
    assert 'done in 0 s: 3D 41.0, BEV 0.5 41.0' in lines[-1]
    assert read_record(places.record('cars', 'wide', 0))['suite'] == 'made'
    assert execute.execute(suite, places, execute.Choice(seeds=2, most=1), lines.append) == 0
    assert (asked[-1].dataset.name, asked[-1].row) == ('cars', 'teacher')  # what failed is tried again
    assert execute.known_size(asked[-1], State.read(places), places) == {'params': 1050, 'macs': 5_000_000}


def test_runs_are_made_at_once_where_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = make_home(tmp_path)
    both = threading.Barrier(2, timeout=30)  # two runs have to be under way together, or this breaks

    def value(job: Any) -> float:
        both.wait()
        return 40.0 + len(job.row)

    asked = made_up_run(monkeypatch, places, value)
    suite, choice = read_made(places), execute.Choice(arms=['graph', 'wide'], datasets=['cars'], seeds=1, jobs=2)
    assert execute.execute(suite, places, choice, [].append) == 0
    assert sorted(job.row for job in asked) == ['graph', 'wide']
    for row in ('graph', 'wide'):
        assert read_record(places.record('cars', row, 0))['metrics']['official']['Car']['3d'][0] == 40 + len(row)


def test_tuning_tries_the_grid_once_and_keeps_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = "grid={'distill.methods.0.weight': [0.5, 2.0, 4.0]}"
    tuned = SUITE.replace("name='graph'", f"name='graph', {grid}")
    places = make_home(tmp_path, tuned.replace("name='cars',", "name='cars', trials={'model.width': 6},"))
    suite = read_made(places)
    scores = iter([30.0, 33.0, 31.0])
    asked = made_up_run(monkeypatch, places, lambda job: next(scores))
    cars = suite.datasets[0]
    entry = tune.tune(suite, places, suite.arm('graph'), cars, {}, lambda line: None)
    assert entry['chosen'] == {'distill.methods.0.weight': 2.0}
    assert [trial['score'] for trial in entry['tried']] == [30.0, 33.0, 31.0]
    assert {(job.part, job.iterations, job.seed, job.options['model.width']) for job in asked} == {('val', 50, 0, 6)}
    again = tune.tune(suite, places, suite.arm('graph'), cars, {}, lambda line: None)  # nothing is tried twice
    assert again['tried'] == entry['tried']
    assert len(asked) == 3
    assert read_json(places.tuning)['cars']['graph']['chosen'] == entry['chosen']
    with pytest.raises(ConfigError, match="arm 'plain': has no grid"):
        tune.grid_settings(suite.arm('plain'))


def test_trials_of_a_changed_grid_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = make_home(tmp_path)
    suite = read_made(places)
    asked = made_up_run(monkeypatch, places, lambda job: 5.0)
    job = arm_job(suite, suite.datasets[0], suite.arm('graph'), 0, part='val')
    write_json(tmp_path / 'trial' / tune.OUTCOME, {'config': 'of another'})
    tune.outcome(job, tmp_path / 'trial', tmp_path, tmp_path, [])
    assert len(asked) == 1
    tune.outcome(job, tmp_path / 'trial', tmp_path, tmp_path, [])
    assert len(asked) == 1


def test_step_times_are_medians_over_blocks_in_turns(tmp_path: Path) -> None:
    order: list[str] = []

    def block(name: str, seconds: list[list[float]]) -> Any:
        answers = iter(seconds)

        def step() -> dict[str, Any]:
            order.append(name)
            return {'seconds': next(answers), 'peak_mb': 100.0 + len(order)}

        return step

    blocks = {'a': block('a', [[0.1, 0.2], [0.3, 9.0]]), 'b': block('b', [[1.0, 1.0], [1.0, 1.0]])}
    times = in_turns(blocks, 2)
    assert order == ['a', 'b', 'a', 'b']
    assert times['a']['ms'] == 250.0
    assert times['b'] == {'ms': 1000.0, 'p90_ms': 1000.0, 'peak_mb': 104}
    suite = read_made(make_home(tmp_path / 'home'))
    job = arm_job(suite, suite.datasets[0], suite.arm('graph'), 0)
    words = stepping_words(job, tmp_path)
    assert 'train_cfg.max_iters=72' in words
    assert '+reliability.save_iterations=None' in words


def test_some_rows_are_timed_again_and_those_without_a_teacher_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = "teachers=dict(late=dict(dataset='cars', config='big', schedule=dict(iterations=9)), "
    taught = "dict(name='graph', teacher='late',"
    places = make_home(tmp_path, SUITE.replace('teachers=dict(', lacking).replace("dict(name='graph',", taught))
    suite, cars = read_made(places), read_made(places).datasets[0]
    monkeypatch.setattr(calibrate, 'prepare', lambda *_: tmp_path)
    times = iter([0.1, 0.2, 0.3])

    @contextlib.contextmanager
    def started(jobs: Any, *_: Any) -> Iterator[dict[str, Any]]:
        seconds = {name: next(times) for name in jobs}
        yield {name: lambda s=s: {'seconds': [s], 'peak_mb': 1.0} for name, s in seconds.items()}

    monkeypatch.setattr(calibrate, 'started', started)
    lines: list[str] = []
    assert set(calibrate.calibrate(suite, places, cars, {}, lines.append)) == {'plain', 'wide'}
    assert 'cars graph: left out, teacher late has not been made' in lines
    assert set(calibrate.calibrate(suite, places, cars, {}, lines.append, ['wide'])) == {'wide'}
    state = State.read(places)
    assert [state.step_ms('cars', row) for row in ('plain', 'wide', 'graph')] == [100.0, 300.0, None]


def test_the_network_is_counted_without_what_teaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    methods = "methods = [dict(type='LocalGraph', tau=float('inf'))]"
    places = make_home(tmp_path, re.sub('methods = .*', methods, SUITE, count=1))
    suite = read_made(places)
    job = arm_job(suite, suite.datasets[0], suite.arm('graph'), 0)
    monkeypatch.setattr(runs, 'run_verb', lambda words, **settings: 'a warning {}\n{\n "params": 7,\n "macs": 8}\nmore')
    assert runs.count(job, tmp_path, tmp_path) == {'params': 7, 'macs': 8}
    assert runpy.run_path(str(tmp_path / 'network.py'))['model']['width'] == 4
    monkeypatch.setattr(runs, 'run_verb', lambda words, **settings: 'nothing')
    with pytest.raises(DataError, match='printed no counts'):
        runs.count(job, tmp_path, tmp_path)


def test_provenance_names_commit_and_processor(tmp_path: Path) -> None:
    made = runs.provenance(tmp_path)
    assert made['commit'] == 'unknown'
    assert made['torch'] == torch.__version__.partition('+')[0] or made['torch'] in torch.__version__
    subprocess.run(['git', 'init', '-q', str(tmp_path)], check=True)
    words = ['git', '-C', str(tmp_path), '-c', 'user.name=a', '-c', 'user.email=a@b.c', 'commit', '-q', '-m', 'first']
    subprocess.run([*words, '--allow-empty'], check=True)
    assert len(runs.commit(tmp_path)) == 12
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs' / 'new.py').touch()
    assert runs.commit(tmp_path).endswith('+changes')
