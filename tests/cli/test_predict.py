import subprocess
import sys

import numpy as np
import pytest
from helpers.small_pillars import export_small_net

from pointkd.cli.main import main
from pointkd.core.kitti import Calibration, read_objects, write_calibration, write_points
from pointkd.export.clouds import made_up_clouds
from pointkd.runtime.detector import Detector
from pointkd.runtime.kitti import AXES_TURN


@pytest.fixture(scope='module')
def export(tmp_path_factory):
    return export_small_net(tmp_path_factory.mktemp('export'))


@pytest.fixture(scope='module')
def clouds(export, tmp_path_factory):
    """Two files of clouds in which something is found."""
    detector = Detector(export)
    good = [points for points in made_up_clouds(detector.side_car.voxels, 20) if len(detector.predict(points))][:2]
    folder = tmp_path_factory.mktemp('clouds')
    for number, points in enumerate(good):
        write_points(folder / f'{number:06d}.bin', points)
    return [folder / f'{number:06d}.bin' for number in range(2)]


def test_an_export_needs_no_checkpoint(export, clouds, tmp_path, capsys):
    assert main(['predict', str(export), *map(str, clouds), '--out', str(tmp_path)]) == 0
    for cloud in clouds:
        rows = read_objects(tmp_path / f'{cloud.stem}.txt')
        assert len(rows) > 0
        assert f'{cloud}: {len(rows)} objects' in capsys.readouterr().out or cloud is clouds[1]
        assert (tmp_path / f'{cloud.stem}.png').read_bytes()[:4] == b'\x89PNG'


def test_config_and_checkpoint_give_the_same_rows(export, clouds, tmp_path):
    net = [str(export.parent / 'small.py'), str(export.parent / 'small.pth')]
    assert main(['predict', *net, str(clouds[0]), '--out', str(tmp_path / 'eager')]) == 0
    assert main(['predict', str(export), str(clouds[0]), '--out', str(tmp_path / 'export')]) == 0
    eager, exported = (read_objects(tmp_path / name / f'{clouds[0].stem}.txt') for name in ('eager', 'export'))
    assert eager.names == exported.names
    np.testing.assert_allclose(eager.location, exported.location, atol=1e-3)
    np.testing.assert_allclose(eager.scores, exported.scores, atol=1e-3)


def test_calibration_gives_2d_boxes_and_score_leaves_out(export, clouds, tmp_path):
    projection = np.array([[300.0, 0, 600, 0], [0, 300, 180, 0], [0, 0, 1, 0]])
    write_calibration(tmp_path / 'calib' / f'{clouds[0].stem}.txt', Calibration(projection, np.eye(3), AXES_TURN[:3]))
    common = ['predict', str(export), str(clouds[0]), '--calib', str(tmp_path / 'calib')]
    assert main([*common, '--out', str(tmp_path / 'all')]) == 0
    everything = read_objects(tmp_path / 'all' / f'{clouds[0].stem}.txt')
    assert everything.boxes_2d.any()
    best = str(everything.scores.max() - 1e-6)
    assert main([*common, '--score', best, '--out', str(tmp_path / 'best')]) == 0
    assert len(read_objects(tmp_path / 'best' / f'{clouds[0].stem}.txt')) < max(2, len(everything))


def test_an_export_needs_no_training_stack(export, clouds, tmp_path):
    blocked = ('torch', 'numba', 'mmengine', 'mmcv', 'mmdet', 'mmdet3d', 'mmseg', 'spconv', 'onnx', 'scipy', 'open3d')
    arguments = ['predict', str(export), str(clouds[0]), '--out', str(tmp_path)]
    script = (
        f'import sys; sys.modules.update(dict.fromkeys({blocked!r})); '
        f'from pointkd.cli.main import main; sys.exit(main({arguments!r}))'
    )
    ran = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / f'{clouds[0].stem}.png').is_file()


def test_points_with_nan_are_told(export, tmp_path, capsys):
    write_points(tmp_path / 'a.bin', np.full((3, 4), np.nan))
    assert main(['predict', str(export), str(tmp_path / 'a.bin'), '--out', str(tmp_path)]) == 0
    assert '0 objects, 3 points with NaN dropped' in capsys.readouterr().out
    assert (tmp_path / 'a.txt').read_text() == ''


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['{export}', 'none.bin'], 'none.bin: no such point cloud'),
        (['{export}', '{cloud}', '{cloud}'], 'overwrite each other'),
        (['{config}', '{cloud}'], 'give its checkpoint'),
        (['{export}', '{cloud}', '--columns', '5'], 'truncated or has other columns'),
        (['{export}', '{cloud}', '--calib', 'none.txt'], 'none.txt'),
        (['{export}', '{cloud}', '--backend', 'tensorflow'], "backend 'tensorflow'"),
    ],
)
def test_wrong_use_is_refused(export, clouds, tmp_path, capsys, arguments, message):
    places = {'export': export, 'cloud': clouds[0], 'config': export.parent / 'small.py'}
    if '5' in arguments:
        write_points(tmp_path / 'odd.bin', np.zeros((3, 4)))
        places['cloud'] = tmp_path / 'odd.bin'
    filled = [argument.format(**places) for argument in arguments]
    assert main(['predict', *filled, '--out', str(tmp_path / 'out')]) == 2
    assert message in capsys.readouterr().err
