import json
import shutil

import numpy as np
import pytest

from pointkd.core.errors import CheckpointError
from pointkd.export import latency
from pointkd.export.latency import STAGES, WARM_UP, Timing, benchmark, measure, open_detectors, open_eager


class Noting:
    """A detector that notes when it is called."""

    def __init__(self, name, calls):
        self.name, self.calls = name, calls

    def voxelize(self, points):
        self.calls.append((self.name, len(points)))
        return points

    def network(self, batch):
        return batch

    def decode(self, maps, batch):
        return maps


def test_detectors_take_turns_on_the_same_clouds():
    calls = []
    detectors = {('a', 'one'): Noting('one', calls), ('a', 'two'): Noting('two', calls)}
    timings = measure(detectors, [np.zeros((1, 4)), np.zeros((2, 4)), np.zeros((3, 4))], runs=6)
    calls = calls[2 * WARM_UP :]
    assert [name for name, _ in calls] == ['one', 'two', 'two', 'one'] * 3
    assert [size for _, size in calls] == [1, 1, 2, 2, 3, 3] * 2
    for timing in timings:
        assert {len(values) for values in timing.seconds.values()} == {6}
        stages = np.sum([timing.seconds[stage] for stage in STAGES], axis=0)
        np.testing.assert_allclose(stages, timing.seconds['total'], atol=1e-9)


def test_summary_is_median_and_ninetieth_percentile():
    timing = Timing('a', 'one')
    for stage in timing.seconds:
        timing.seconds[stage] = [0.001 * value for value in range(11)]
    assert timing.summary()['total'] == {'median_ms': 5.0, 'p90_ms': 9.0}


def test_every_runtime_is_timed(small_export):
    results = benchmark([small_export], runs=2, threads=1)
    entry = results['exports'][0]
    assert entry['params'] == 22636
    assert {'pytorch f32', 'onnxruntime f32'} <= set(entry['timings'])
    assert set(entry['timings']) | set(entry['left_out']) == {
        'pytorch f32',
        'onnxruntime f32',
        'openvino f32',
        'openvino bf16',
    }
    assert entry['timings']['onnxruntime f32']['total']['median_ms'] > 0
    assert results['machine']['threads'] == 1
    assert results['machine']['processor']
    json.dumps(results)


def test_what_is_not_here_is_left_out_with_the_reason(small_export, tmp_path, monkeypatch):
    shutil.copytree(small_export, tmp_path / 'export')
    detectors, left_out = open_detectors(small_export, checkpoint=tmp_path / 'none.pth', threads=1)
    assert 'onnxruntime f32' in detectors
    assert '--checkpoint' in left_out['pytorch f32']
    monkeypatch.setattr(latency.importlib.util, 'find_spec', lambda name: None)
    assert 'pointkd[train]' in open_detectors(small_export, threads=1)[1]['pytorch f32']


def test_another_checkpoint_is_refused(small_export, tmp_path):
    (tmp_path / 'other.pth').write_bytes(b'other')
    with pytest.raises(CheckpointError, match='not the checkpoint'):
        open_eager(small_export, tmp_path / 'other.pth', 1)
