import logging
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from helpers.small_pillars import export_small_net

from pointkd.core.errors import ConfigError, ExportError, ShapeError, StackError
from pointkd.export.clouds import made_up_clouds
from pointkd.runtime import openvino_session
from pointkd.runtime.detections import Detections
from pointkd.runtime.detector import Detector
from pointkd.runtime.graph_io import feed


@pytest.fixture(scope='module')
def detector(small_export):
    return Detector(small_export)


@pytest.fixture(scope='module')
def cloud(detector):
    """A made-up cloud in which something is found."""
    return next(points for points in made_up_clouds(detector.side_car.voxels, 20) if len(detector.predict(points)))


def test_boxes_come_by_falling_score(detector, cloud):
    found = detector.predict(cloud)
    assert found.boxes.shape == (len(found), 7)
    assert (np.diff(found.scores) <= 0).all()
    assert set(found.names) <= {'Pedestrian', 'Car'}
    assert found.names == [('Pedestrian', 'Car')[label] for label in found.labels]


def test_above_keeps_the_better_ones(detector, cloud):
    found = detector.predict(cloud)
    score = float(found.scores[0])
    assert len(found.above(score)) >= 1
    assert (found.above(score).scores >= score).all()


def test_clouds_without_points_give_no_boxes(detector):
    for points in (np.zeros((0, 4)), np.full((3, 4), 1e6), np.full((3, 4), np.nan)):
        found = detector.predict(points)
        assert isinstance(found, Detections)
        assert len(found) == 0
    assert found.invalid_points == 3


def test_nan_points_are_dropped_counted_and_told_once(small_export, cloud, caplog):
    detector = Detector(small_export)
    broken = np.concatenate([np.full((4, 4), np.nan, dtype=np.float32), cloud])
    with caplog.at_level(logging.WARNING):
        found = detector.predict(broken)
        detector.predict(broken)
    clean = Detector(small_export).predict(cloud)
    assert found.invalid_points == 4
    np.testing.assert_array_equal(found.boxes, clean.boxes)
    assert sum('NaN' in record.message for record in caplog.records) == 1


def test_more_pillars_than_the_limit_are_counted(detector):
    limit = detector.side_car.voxels.max_pillars
    grid = np.indices((32, 32)).reshape(2, -1).T * 0.5 + [0.25, -7.75]
    points = np.concatenate([grid, np.zeros((len(grid), 2))], axis=1)
    assert detector.predict(points).dropped_pillars == len(grid) - limit


def test_one_point_is_enough(detector):
    assert isinstance(detector.predict(np.array([[3.0, 0.0, -1.0, 0.5]])), Detections)


@pytest.mark.parametrize(('precision', 'box', 'score'), [('f32', 1e-3, 1e-4), ('bf16', 0.1, 0.03)])
def test_openvino_finds_the_same(small_export, detector, cloud, precision, box, score):
    pytest.importorskip('openvino')
    try:
        other = Detector(small_export, 'openvino', precision, threads=1)
    except ConfigError as error:
        pytest.skip(str(error))
    pillars = detector.voxelize(cloud)
    for ours, theirs in zip(detector.network(pillars), other.network(pillars), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=score * np.abs(ours).max())
    if precision == 'f32':
        np.testing.assert_allclose(other.predict(cloud).boxes, detector.predict(cloud).boxes, atol=box)


def test_the_point_encoder_stays_exact_in_bf16(tmp_path):
    """At 100 m bf16 tells half metres apart: in bf16 throughout, the net would see other clouds."""
    pytest.importorskip('openvino')
    extent = [96, -8, -3, 112, 8, 1]
    export = export_small_net(
        tmp_path, voxel_encoder__point_cloud_range=extent, data_preprocessor__voxel_layer__point_cloud_range=extent
    )
    exact = Detector(export)
    try:
        mixed = Detector(export, 'openvino', 'bf16', threads=1)
    except ConfigError as error:
        pytest.skip(str(error))
    pillars = exact.voxelize(made_up_clouds(exact.side_car.voxels, 1)[0])
    wanted = exact.network(pillars).classes
    core = openvino_session._core()
    whole = core.compile_model(str(export / 'model.onnx'), 'CPU', {'INFERENCE_PRECISION_HINT': 'bf16'})
    rounded = whole.create_infer_request().infer(feed(pillars))['classes'][0]
    error = np.abs(mixed.network(pillars).classes - wanted).max()
    assert error < 0.02 * np.abs(wanted).max()
    assert error < 0.2 * np.abs(rounded - wanted).max()


def test_signals_are_survived_after_openvino(small_export):
    pytest.importorskip('openvino')
    script = """
        import gc, os, signal, sys
        from pointkd.runtime.detector import Detector

        detectors = [Detector(sys.argv[1], 'openvino') for _ in range(3)]  # let go in this order
        while detectors:
            detectors.pop(0)
            gc.collect()
        signal.signal(signal.SIGUSR1, lambda *_: print('handled'))
        os.kill(os.getpid(), signal.SIGUSR1)
    """
    command = [sys.executable, '-X', 'faulthandler', '-c', textwrap.dedent(script), str(small_export)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, 'handled\n')


def test_wrong_use_is_refused(small_export, detector, tmp_path, monkeypatch):
    with pytest.raises(ShapeError, match=r'\(N, 4\)'):
        detector.predict(np.zeros((5, 3)))
    with pytest.raises(ConfigError, match="did you mean 'openvino'"):
        Detector(small_export, 'openvno')
    with pytest.raises(ConfigError, match='onnxruntime runs f32'):
        Detector(small_export, 'onnxruntime', 'bf16')
    with pytest.raises(ExportError, match='pointkd export'):
        Detector(tmp_path)
    monkeypatch.setitem(sys.modules, 'openvino', None)
    openvino_session._core.cache_clear()
    with pytest.raises(StackError, match=r'pip install .pointkd\[openvino\]'):
        Detector(small_export, 'openvino')


def test_runs_without_a_training_stack(small_export, tmp_path):
    """A process in which torch, numba and OpenMMLab can't be imported predicts all the same."""
    script = textwrap.dedent(f"""
        import sys
        for name in ('torch', 'numba', 'mmengine', 'mmcv', 'mmdet', 'mmdet3d', 'mmseg', 'spconv', 'onnx', 'scipy'):
            sys.modules[name] = None
        import numpy as np
        from pointkd.runtime.detector import Detector
        found = Detector({str(small_export)!r}).predict(np.random.default_rng(0).uniform(0, 8, (500, 4)))
        print(len(found))
    """)
    ran = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
