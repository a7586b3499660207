"""Pictures of a segmentation suite: made of weights that are there, and a clear word where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.configs import CONFIGS
from helpers.small_segmentation import write_camvid
from PIL import Image
from report.test_results_made import make_home, read_made

from pointkd.core.errors import ConfigError
from pointkd.io.build import build_model
from pointkd.io.checkpoints import save_checkpoint
from pointkd.io.config import load_config
from pointkd.report.results.pictures import CAPTION, FRAMES, write_pictures
from pointkd.report.results.places import Places

NET = f"""
_base_ = ['{CONFIGS}/segmentation/pspnet-r18-4x_camvid.py']
model = dict(
    backbone=dict(stem_channels=8, base_channels=4),
    decode_head=dict(in_channels=32, channels=8),
    auxiliary_head=dict(in_channels=16, channels=8),
)
"""
SUITE = """
suite = dict(
    title='Made up',
    numerics=dict(precision='f32', threads=1),
    control='plain',
    datasets=[
        dict(
            name='streets',
            title='Streets',
            kind='images',
            root='camvid',
            prepare='create-data camvid --root {root} --out {out} --jobs 1',
            frames=dict(train=2, val=1, test=5),
            parts=dict(val={}, test={}),
            configs=dict(net='configs/pspnet.py'),
            schedule=dict(iterations=10),
            classes=['all'],
            columns=[dict(title='mIoU', metric='mIoU')],
        ),
    ],
    arms=[dict(name='plain', title='alone', config='net'), dict(name='late', title='late', config='net')],
)
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = make_home(tmp_path / 'home', SUITE)
    path = made.home / 'configs' / 'pspnet.py'
    path.write_text(NET)
    network = build_model(load_config(path, pretrained=False))
    save_checkpoint(made.run('streets', 'plain', 0) / 'last.pth', {'state_dict': network.state_dict()})
    return made


def test_a_picture_a_frame_in_a_report(places: Places, tmp_path: Path) -> None:
    given = {'streets': write_camvid(tmp_path / 'camvid', test=5)}
    suite = read_made(places)
    lines: list[str] = []
    report = write_pictures(suite, places, suite.datasets[0], ['plain'], given, lines.append)
    assert report.is_relative_to(places.work)
    assert report.read_text().count('<img') == FRAMES
    pictures = sorted((places.work / 'streets' / 'pictures').glob('*.png'))
    assert [path.stem for path in pictures] == ['test_0001', 'test_0002', 'test_0003']
    assert Image.open(pictures[0]).size == (2 * 32, 2 * (24 + CAPTION))  # image, truth; mask, errors


def test_what_is_missing_is_named(places: Places, tmp_path: Path) -> None:
    given = {'streets': write_camvid(tmp_path / 'camvid')}
    suite = read_made(places)
    with pytest.raises(ConfigError, match=r"row 'late': .*last.pth is missing"):
        write_pictures(suite, places, suite.datasets[0], ['late'], given, print)
    with pytest.raises(ConfigError, match='has no teacher'):
        write_pictures(suite, places, suite.datasets[0], ['teacher'], given, print)
