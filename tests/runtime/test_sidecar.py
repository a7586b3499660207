import json

import pytest

from pointkd.core.errors import ExportError
from pointkd.core.files import sha256
from pointkd.runtime.anchors import Anchors
from pointkd.runtime.decode import DecodeSettings
from pointkd.runtime.sidecar import FileReference, Profile, SideCar, read_side_car
from pointkd.runtime.voxelize import Voxelizer


@pytest.fixture
def folder(tmp_path):
    """An export whose ONNX file is a few bytes."""
    (tmp_path / 'model.onnx').write_bytes(b'not really')
    write(tmp_path, side_car(tmp_path).to_json())
    return tmp_path


def side_car(folder):
    return SideCar(
        model=FileReference('model.onnx', sha256(folder / 'model.onnx')),
        checkpoint=FileReference('student.pth', '0' * 64),
        config="model = dict(type='VoxelNet')",
        versions={'pointkd': '0.1.0'},
        opset=17,
        parameters=12,
        class_names=('Car', 'Cyclist'),
        voxels=Voxelizer((0.5, 0.5, 4.0), (0.0, -2.0, -3.0, 4.0, 2.0, 1.0), 3, 20),
        anchors=Anchors(4, 4, ((0.0, -2.0, -1.0, 4.0, 2.0, -1.0),), ((4.0, 2.0, 1.5),), (0.0, 1.57)),
        decode=DecodeSettings(0.1, 100, 50, 0.01, True, 0.7854, 0.0),
        profile=Profile(1, 10, 20),
    )


def write(folder, content):
    (folder / 'model.json').write_text(json.dumps(content))


def change(folder, edit):
    content = json.loads((folder / 'model.json').read_text())
    edit(content)
    write(folder, content)


def test_what_is_written_is_read(folder):
    assert read_side_car(folder) == side_car(folder)
    assert next(iter(json.loads((folder / 'model.json').read_text()))) == 'format'


@pytest.mark.parametrize(
    ('edit', 'message'),
    [
        (lambda content: content.pop('decode'), 'decode: missing'),
        (lambda content: content['decode'].pop('max_boxes'), 'decode.max_boxes: missing'),
        (lambda content: content['voxels'].update(voxle_size=1), "voxels.voxle_size: unknown field: .*'voxel_size'"),
        (lambda content: content.update(version=99), 'version 99'),
        (lambda content: content.update(format='other'), "'pointkd-pillars'"),
        (lambda content: content.pop('format'), 'format'),
        (lambda content: content.update(anchors=[1, 2]), 'anchors: expected an object'),
        (lambda content: content['voxels'].update(max_points=0), 'at least 1'),
        (lambda content: content['voxels'].update(voxel_size='wide'), 'voxels'),
        (lambda content: content['model'].update(file='other.onnx'), 'other.onnx: missing'),
    ],
)
def test_a_damaged_side_car_says_where(folder, edit, message):
    change(folder, edit)
    with pytest.raises(ExportError, match=message):
        read_side_car(folder)


def test_another_onnx_file_is_refused(folder):
    (folder / 'model.onnx').write_bytes(b'something else')
    with pytest.raises(ExportError, match='SHA-256 differs'):
        read_side_car(folder)


def test_no_export_there(tmp_path):
    with pytest.raises(ExportError, match='pointkd export'):
        read_side_car(tmp_path)
    (tmp_path / 'model.json').write_text('{"format": ')
    with pytest.raises(ExportError, match='is not JSON'):
        read_side_car(tmp_path)
    (tmp_path / 'model.json').write_text('[]')
    with pytest.raises(ExportError, match='JSON object'):
        read_side_car(tmp_path)
