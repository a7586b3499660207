"""The stand-in in processes of its own, since a process imports `mmcv.ops` once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pointkd.core.errors import ConfigError, StackError
from pointkd.ops import standin
from pointkd.ops.registry import KERNELS, WRAPPERS, kernel, wrapper


def _run(code: str, folder: Path | None = None, **environment: str) -> str:
    """Run code in a fresh interpreter, with a folder first on its path, and return what it prints."""
    variables = {**os.environ, 'OMP_NUM_THREADS': '1', **environment}
    if folder is not None:
        variables['PYTHONPATH'] = str(folder)
    command = [sys.executable, '-W', 'ignore', '-c', code]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _fake_mmcv(folder: Path, extension: str | None = None, ops: str = '') -> Path:
    """Write a package `mmcv` with an `ops` module and, where given, a compiled-looking `_ext`."""
    package = folder / 'mmcv'
    package.mkdir()
    (package / '__init__.py').write_text('')
    (package / 'ops.py').write_text(ops)
    if extension is not None:
        (package / '_ext.py').write_text(extension)
    return folder


def test_lite_mmcv_gets_the_stand_in() -> None:
    answer = _run(
        'from pointkd.ops import standin\n'
        'before = standin.active()\n'
        'names = [standin.install(), standin.install(), standin.install("torch"), standin.active()]\n'
        'import mmcv._ext, mmcv.ops\n'
        'from mmcv.utils.ext_loader import check_ops_exist\n'
        'print(before, *names, check_ops_exist(), mmcv._ext.nms.__name__, mmcv.ops.get_compiler_version() != "")'
    )
    assert answer == 'None torch torch torch torch True nms_kernel True'


@pytest.mark.long
def test_openmmlab_packages_import() -> None:
    answer = _run(
        'from pointkd.ops import standin\n'
        'standin.install()\n'
        'import mmdet.models, mmseg.models, mmdet3d.models, mmdet3d.datasets, mmdet3d.evaluation\n'
        'from mmdet3d.structures.bbox_3d import base_box3d\n'
        'print(base_box3d.points_in_boxes_all.__module__)'
    )
    assert answer.splitlines()[-1] == 'pointkd.ops.bindings.points_in_boxes'


@pytest.mark.parametrize('variable', [None, 'torch', 'compiled'])
def test_variable_chooses_where_mmcv_is_compiled(tmp_path: Path, variable: str | None) -> None:
    environment = {} if variable is None else {'POINTKD_OPS': variable}
    code = (
        'from pointkd.ops import standin\n'
        'standin._replace_wrappers = lambda: None\n'
        'import sys\n'
        'print(standin.install(), standin.active(), type(sys.modules["mmcv._ext"]).__name__)'
    )
    folder = _fake_mmcv(tmp_path, extension='', ops='import mmcv._ext')
    expected = 'torch torch _Extension' if variable == 'torch' else 'compiled compiled module'
    assert _run(code, folder, **environment) == expected


@pytest.mark.parametrize(
    ('setup', 'call', 'message'),
    [
        (
            '',
            'standin.install("compiled")',
            'StackError: the compiled op backend is asked for, but there is no mmcv._ext',
        ),
        ('', 'standin.install("cuda")', "ConfigError: backend: expected one of torch, compiled, got 'cuda'"),
        ('import mmcv.ops', 'standin.install("torch")', "StackError: the 'torch' op backend is asked for, but"),
    ],
)
def test_impossible_demands(tmp_path: Path, setup: str, call: str, message: str) -> None:
    code = (
        f'{setup}\n'
        'from pointkd.ops import standin\n'
        'try:\n'
        f'    {call}\n'
        'except Exception as error:\n'
        '    print(f"{type(error).__name__}: {error}")'
    )
    assert _run(code, _fake_mmcv(tmp_path)).startswith(message)


def test_broken_compiled_module_names_the_way_out(tmp_path: Path) -> None:
    code = (
        'from pointkd.ops import standin\n'
        'try:\n'
        '    standin.install()\n'
        'except standin.StackError as error:\n'
        '    print(error)'
    )
    folder = _fake_mmcv(tmp_path, extension='raise ImportError("undefined symbol")', ops='import mmcv._ext')
    assert (
        _run(code, folder)
        == "mmcv.ops can't be imported (undefined symbol): set POINTKD_OPS=torch to run on the ops of pointkd"
    )


def test_absent_mmcv_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, 'mmcv._ext', raising=False)
    monkeypatch.setattr(standin.importlib.util, 'find_spec', _no_module)
    with pytest.raises(StackError, match=r"pip install 'pointkd\[train\]'"):
        standin._compiled_exists()


def _no_module(name: str) -> None:
    raise ModuleNotFoundError("No module named 'mmcv'", name='mmcv')


def test_unknown_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('POINTKD_OPS', 'cuda')
    with pytest.raises(ConfigError, match='POINTKD_OPS: expected one of torch, compiled'):
        standin.install()


def test_second_backend_in_one_process() -> None:
    standin.install()
    with pytest.raises(StackError, match="runs on 'torch' in this process already"):
        standin.install('compiled')


@pytest.mark.parametrize(
    ('name', 'state'),
    [('knn_forward', 'it is planned'), ('bezier_align_forward', 'it is not planned'), ('ball', 'it is not planned')],
)
def test_missing_kernel_names_itself(name: str, state: str) -> None:
    standin.install()
    import mmcv._ext

    with pytest.raises(StackError, match=f"no '{name}', an op that mmcv compiles; {state}.*docs/ops.md"):
        getattr(mmcv._ext, name)(1, key=2)


def test_dunder_names_are_absent() -> None:
    standin.install()
    import mmcv._ext

    with pytest.raises(AttributeError, match='__wrapped__'):
        _ = mmcv._ext.__wrapped__


def test_functions_that_ask_for_cuda_are_replaced_everywhere() -> None:
    standin.install()
    import mmcv.ops

    modules = sys.modules
    assert mmcv.ops.points_in_boxes_all is modules['mmcv.ops.points_in_boxes'].points_in_boxes_all
    assert mmcv.ops.points_in_boxes_part(torch.zeros(1, 2, 3), torch.zeros(1, 0, 7)).tolist() == [[-1, -1]]
    for call in (
        lambda: mmcv.ops.knn(1, torch.zeros(1, 2, 3)),
        lambda: modules['mmcv.ops.group_points'].knn(1, torch.zeros(1, 2, 3)),
        lambda: modules['mmcv.ops.points_sampler'].furthest_point_sample(torch.zeros(1, 2, 3), 1),
    ):
        with pytest.raises(StackError, match=r'(knn|furthest_point_sampling)_forward'):
            call()


def test_carafe_naive_runs_backward_on_the_cpu() -> None:
    standin.install()
    import mmcv.ops

    torch.manual_seed(0)
    features = torch.rand(1, 4, 3, 3, dtype=torch.float64, requires_grad=True)
    masks = torch.rand(1, 9, 6, 6, dtype=torch.float64)
    mmcv.ops.CARAFENaive(3, 1, 2)(features, masks).sum().backward()
    assert features.grad is not None
    assert bool((features.grad > 0).all())


def test_kernels_record_no_graph() -> None:
    standin.install()
    import mmcv.ops

    boxes = torch.tensor([[0.0, 0, 4, 2, 0]], requires_grad=True)
    assert not mmcv.ops.box_iou_rotated(boxes, boxes).requires_grad


def test_registering_twice_is_an_error() -> None:
    standin.install()
    assert KERNELS['nms'].__name__ == 'nms_kernel'
    with pytest.raises(KeyError, match='kernel nms is registered twice'):
        kernel('nms')(lambda: None)
    assert ('mmcv.ops.points_in_boxes', 'points_in_boxes_all') in WRAPPERS
    with pytest.raises(KeyError, match='registered twice'):
        wrapper('mmcv.ops.points_in_boxes', 'points_in_boxes_all')(lambda: None)
