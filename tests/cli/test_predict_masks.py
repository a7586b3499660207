"""`pointkd export`, `predict` and `complexity` of a segmentation net, from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.segmentors import write_small_segmentor
from PIL import Image

from pointkd.cli.main import main
from pointkd.export import segmentation_parity
from pointkd.export.images import made_up_images


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Config, weights, two images and the export that was verified on them."""
    folder = tmp_path_factory.mktemp('net')
    config, weights = write_small_segmentor(folder)
    (folder / 'images').mkdir()
    for number, image in enumerate(made_up_images(2, (70, 110))):
        Image.fromarray(image).save(folder / 'images' / f'{number}.png')
    arguments = [str(config), str(weights), '--out', str(folder / 'export'), '--verify-data', str(folder / 'images')]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segmentation_parity, 'SHAPES', ((1, 64, 96),))
        assert main(['export', *arguments]) == 0
    return folder


def masks(folder: Path) -> list[np.ndarray]:
    """Return the labels of the masks of a folder."""
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob('*_mask.png'))]


def test_export_and_config_draw_the_same_masks(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [str(path) for path in sorted((folder / 'images').iterdir())]
    assert json.loads((folder / 'export' / 'parity.json').read_text())['images'] == 2
    assert main(['predict', str(folder / 'export'), *images, '--out', str(tmp_path / 'export')]) == 0
    assert '_mask.png, _overlay.png' in capsys.readouterr().out
    net = [str(folder / 'pspnet-r18.py'), str(folder / 'pspnet-r18.pth')]
    assert main(['predict', *net, *images, '--out', str(tmp_path / 'eager')]) == 0
    ours, theirs = masks(tmp_path / 'export'), masks(tmp_path / 'eager')
    assert len(ours) == len(theirs) == 2
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == (70, 110)
        assert (one == other).mean() > 0.999
    colours = np.asarray(Image.open(tmp_path / 'export' / '0_mask.png').convert('RGB'))
    from mmseg.utils import cityscapes_palette

    np.testing.assert_array_equal(colours, np.array(cityscapes_palette(), dtype=np.uint8)[ours[0]])
    overlay = np.asarray(Image.open(tmp_path / 'export' / '0_overlay.png'))
    assert overlay.shape[0] >= 70
    assert overlay.shape[1] > 110


def test_an_export_needs_no_training_stack(folder: Path, tmp_path: Path) -> None:
    blocked = ('torch', 'numba', 'mmengine', 'mmcv', 'mmdet', 'mmdet3d', 'mmseg', 'spconv', 'onnx', 'scipy', 'cv2')
    arguments = ['predict', str(folder / 'export'), str(folder / 'images' / '0.png'), '--out', str(tmp_path)]
    script = (
        f'import sys; sys.modules.update(dict.fromkeys({blocked!r})); '
        f'from pointkd.cli.main import main; sys.exit(main({arguments!r}))'
    )
    ran = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / '0_mask.png').is_file()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['{folder}/export', 'none.png'], 'none.png: no such image'),
        (['{folder}/export', '{folder}/pspnet-r18.py'], 'can not be read as an image'),
        (['{folder}/export', '{folder}/images/0.png', '--opacity', '2'], 'opacity must lie between 0 and 1'),
        (['{folder}/export', '{folder}/images/0.png', '--precision', 'int8'], "precision 'int8'"),
        (['{folder}/pspnet-r18.py', '{folder}/images/0.png'], 'give its checkpoint'),
    ],
)
def test_wrong_use_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    filled = [argument.format(folder=folder) for argument in arguments]
    assert main(['predict', *filled, '--out', str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_openvino_gives_the_same_masks(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip('openvino')
    image = str(folder / 'images' / '0.png')
    for backend in ('onnxruntime', 'openvino'):
        assert (
            main(['predict', str(folder / 'export'), image, '--out', str(tmp_path / backend), '--backend', backend])
            == 0
        )
    (ours,), (theirs,) = masks(tmp_path / 'openvino'), masks(tmp_path / 'onnxruntime')
    assert (ours == theirs).mean() > 0.999


def test_complexity(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['complexity', str(folder / 'pspnet-r18.py'), '--image-size', '64', '96', '--json']) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result['parts']) == {'backbone', 'decode_head', 'auxiliary_head'}
    assert result['parts']['auxiliary_head']['macs'] == 0
    assert result['macs'] == result['parts']['backbone']['macs'] + result['parts']['decode_head']['macs']


def test_benchmark(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ['benchmark', str(folder / 'export'), '--runs', '1', '--threads', '1']
    assert main([*arguments, '--points', str(folder / 'images'), '--json', str(tmp_path / 'times.json')]) == 0
    printed = capsys.readouterr().out
    for word in ('2 images of 70 x 110', 'prepare', 'onnxruntime f32', 'pytorch f32'):
        assert word in printed
    results = json.loads((tmp_path / 'times.json').read_text())
    assert results['images'] == {'count': 2, 'size': [70, 110]}
    assert set(results['exports'][0]['timings']['pytorch f32']) == {'voxelize', 'network', 'decode', 'total'}
