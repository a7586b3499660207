"""Latency of a suite's networks: each once, pruned ones by the plan of their run, and what can't be timed named."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.configs import CONFIGS
from mmengine.config import Config
from report.test_results_made import make_home, read_made

from pointkd.io.config import load_config
from pointkd.io.plan import LayerPlan, Plan
from pointkd.report.results import latency
from pointkd.report.results.jobs import arm_job
from pointkd.report.results.latency import measure_latency
from pointkd.report.results.places import Places
from pointkd.report.results.plan import State
from pointkd.report.results.runs import network_config
from pointkd.report.results.tables import render

YOLO = f"""
_base_ = ['{CONFIGS}/yolov8/yolov8_n_synthetic-aerial.py']
test_pipeline = [dict(type='Letterbox', scale=(64, 96))]
"""
SECOND = f"_base_ = ['{CONFIGS}/second/second_kitti-3class.py']"
SUITE = """
suite = dict(
    title='Made up',
    numerics=dict(precision='f32', threads=1),
    control='dense',
    datasets=[
        dict(
            name='air',
            title='Air',
            kind='images',
            make='create-data synthetic-aerial --images 6',
            frames=dict(train=3, val=1, test=2),
            parts=dict(val={}, test={}),
            configs=dict(n='configs/yolo.py', voxels='configs/second.py'),
            schedule=dict(iterations=10),
            classes=['all'],
            columns=[dict(title='AP', metric='AP')],
        ),
    ],
    arms=[
        dict(name='dense', title='dense', config='n'),
        dict(name='longer', title='longer', config='n', longer=2.0),
        dict(name='pruned', title='pruned', config='n', start=dict(arm='dense', prune='--ratio 0.5')),
        dict(name='voxels', title='voxels', config='voxels'),
    ],
)
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setattr(latency, 'RUNS', 2)
    made = make_home(tmp_path, SUITE)
    (tmp_path / 'configs' / 'yolo.py').write_text(YOLO)
    (tmp_path / 'configs' / 'second.py').write_text(SECOND)
    return made


def test_equal_networks_are_timed_once_and_others_named(places: Places) -> None:
    suite = read_made(places)
    lines: list[str] = []
    found = measure_latency(suite, places, suite.datasets[0], lines.append)
    assert set(found) == {'dense', 'longer'}
    assert found['dense'] == found['longer']
    assert 0 < found['dense']['ms'] <= found['dense']['p90_ms']
    left_out = [line for line in lines if 'left out' in line]
    assert len(left_out) == 2
    assert 'pruned: left out, its run of seed 0 is not in' in left_out[0]
    assert 'voxels: left out, VoxelNet' in left_out[1]
    state = State.read(places)
    assert state.latency_ms('air', 'dense') == found['dense']['ms']
    assert state.latency_ms('air', 'voxels') is None
    assert 'Latency: the network alone in ONNX Runtime, one input, 1 thread, median of 2' in render(suite, state, '')


def test_a_pruned_network_is_that_of_its_plan(places: Places) -> None:
    suite = read_made(places)

    def network(name: str) -> Config:
        folder = places.run('air', name, 0)
        job = arm_job(suite, suite.datasets[0], suite.arm(name), 0)
        return load_config(network_config(job, folder, places.home, Path('DATA')), pretrained=False)

    run = places.run('air', 'pruned', 0)
    Plan({'backbone.stem.conv': LayerPlan((3, 16), (0, 1, 2), tuple(range(8)))}).write(run / 'pruned' / 'plan.json')
    assert 'plan' not in network('dense')['model']
    assert set(network('pruned')['model']['plan']['layers']) == {'backbone.stem.conv'}
