import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from pointkd.core.errors import ExportError, StackError
from pointkd.export import tensorrt as room
from pointkd.export.exporter import export
from pointkd.runtime.sidecar import read_side_car


def run_script(folder, *arguments, path):
    return subprocess.run(
        [str(folder / 'build_engine.sh'), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={'PATH': f'{path}:{os.environ["PATH"]}'},
    )


@pytest.fixture
def trtexec(tmp_path):
    """A folder with a program `trtexec` that prints its arguments."""
    program = tmp_path / 'bin' / 'trtexec'
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    return program.parent


def test_the_script_runs_trtexec_with_the_profile(small_export, trtexec):
    side_car = read_side_car(small_export)
    ran = run_script(small_export, '--fp16', path=trtexec)
    assert ran.returncode == 0, ran.stderr
    usual = side_car.profile.opt
    for argument in (
        '--onnx=model.onnx',
        '--saveEngine=model.plan',
        '--minShapes=points:1x8x4,counts:1,coords:1x3',
        f'--optShapes=points:{usual}x8x4,counts:{usual},coords:{usual}x3',
        '--maxShapes=points:400x8x4,counts:400,coords:400x3',
        '--fp16',
    ):
        assert argument in ran.stdout.split()


def test_the_script_says_what_is_missing(small_export, tmp_path):
    ran = run_script(small_export, path=tmp_path)
    assert ran.returncode == 1
    assert 'trtexec is not on the PATH' in ran.stderr


def test_the_script_refuses_another_file(small_export, trtexec, tmp_path):
    room.write_script(read_side_car(small_export), tmp_path)
    (tmp_path / 'model.onnx').write_bytes(b'other')
    ran = run_script(tmp_path, path=trtexec)
    assert ran.returncode != 0
    assert 'saveEngine' not in ran.stdout


def test_a_broken_script_is_noticed(small_export, tmp_path, monkeypatch):
    monkeypatch.setattr(room, 'TEMPLATE', 'if true; then\n')
    with pytest.raises(ExportError, match='bash refuses'):
        room.write_script(read_side_car(small_export), tmp_path)


def test_without_tensorrt_the_other_files_are_written(small_net, tmp_path, monkeypatch):
    monkeypatch.setattr(room.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(StackError, match=r"pip install 'pointkd\[tensorrt\]'.*build_engine.sh"):
        export(small_net.config, small_net.checkpoint, tmp_path, target='tensorrt')
    assert (tmp_path / 'model.onnx').is_file()
    assert (tmp_path / 'parity.json').is_file()


def test_without_a_gpu_it_says_so(small_export, monkeypatch):
    monkeypatch.setattr(room.importlib.util, 'find_spec', lambda name: True)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(StackError, match='GPU'):
        room.build_engine(read_side_car(small_export), small_export)


class FakeTensorRT:
    """Stands in for the parts of TensorRT that are called, and notes what it is told."""

    def __init__(self, parses=True, plan=b'engine'):
        self.shapes = {}
        self.Logger = type('Logger', (), {'WARNING': 1, '__init__': lambda *_: None})
        profile = SimpleNamespace(set_shape=lambda name, *shapes: self.shapes.__setitem__(name, shapes))
        config = SimpleNamespace(add_optimization_profile=lambda given: None)
        self.Builder = lambda log: SimpleNamespace(
            create_network=lambda flags: 'network',
            create_optimization_profile=lambda: profile,
            create_builder_config=lambda: config,
            build_serialized_network=lambda network, settings: plan,
        )
        self.OnnxParser = lambda network, log: SimpleNamespace(
            parse=lambda content: parses, num_errors=1, get_error=lambda index: SimpleNamespace(desc=lambda: 'no Foo')
        )


@pytest.fixture
def with_gpu(monkeypatch):
    monkeypatch.setattr(room.importlib.util, 'find_spec', lambda name: True)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)

    def install(fake):
        monkeypatch.setitem(sys.modules, 'tensorrt', fake)
        return fake

    return install


def test_the_engine_is_built_for_the_profile(small_export, with_gpu):
    fake = with_gpu(FakeTensorRT())
    engine = room.build_engine(read_side_car(small_export), small_export)
    assert engine.read_bytes() == b'engine'
    engine.unlink()
    usual = read_side_car(small_export).profile.opt
    assert fake.shapes['points'] == ((1, 8, 4), (usual, 8, 4), (400, 8, 4))
    assert fake.shapes['coords'] == ((1, 3), (usual, 3), (400, 3))


def test_what_tensorrt_refuses_is_told(small_export, with_gpu):
    with_gpu(FakeTensorRT(parses=False))
    with pytest.raises(ExportError, match='no Foo'):
        room.build_engine(read_side_car(small_export), small_export)
    with_gpu(FakeTensorRT(plan=None))
    with pytest.raises(ExportError, match='could not build'):
        room.build_engine(read_side_car(small_export), small_export)
    assert not (small_export / 'model.plan').exists()
