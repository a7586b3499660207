import ctypes
import sys

import pytest

import pointkd.io.open3d as module
from pointkd.core.errors import StackError


@pytest.fixture(autouse=True)
def _fresh():
    """Forget what an earlier import found."""
    module.import_open3d.cache_clear()
    yield
    module.import_open3d.cache_clear()


@pytest.mark.long
def test_ray_casting_works():
    open3d = module.import_open3d()
    scene = open3d.t.geometry.RaycastingScene()
    box = open3d.t.geometry.TriangleMesh.create_box()
    scene.add_triangles(box)
    rays = open3d.core.Tensor([[0.5, 0.5, -2.0, 0.0, 0.0, 1.0]], dtype=open3d.core.Dtype.Float32)
    assert scene.cast_rays(rays)['t_hit'].numpy().tolist() == pytest.approx([2.0])


def test_absent_package(monkeypatch):
    monkeypatch.setitem(sys.modules, 'open3d', None)
    with pytest.raises(StackError, match=r"pip install 'pointkd\[train\]'"):
        module.import_open3d()


def test_absent_system_library(monkeypatch):
    def refuse(name, mode=0):
        raise OSError(f'{name}: cannot open shared object file')

    monkeypatch.setattr(ctypes, 'CDLL', refuse)
    with pytest.raises(StackError, match='apt-get install -y libx11-6 libgl1'):
        module.import_open3d()


def test_unknown_system_library(monkeypatch):
    def refuse():
        raise OSError('libnew.so.1: cannot open shared object file')

    monkeypatch.setattr(module, '_load_libusb', refuse)
    monkeypatch.setattr(module, 'library_problem', lambda: None)
    with pytest.raises(StackError, match=r'libnew\.so\.1'):
        module.import_open3d()


def test_libusb_of_the_system_will_do(monkeypatch):
    monkeypatch.setitem(sys.modules, 'libusb_package', None)
    monkeypatch.setitem(sys.modules, 'open3d', module)
    assert module.import_open3d() is module
