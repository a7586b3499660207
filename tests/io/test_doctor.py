"""What the doctor finds without importing anything heavy."""

from __future__ import annotations

import sys
from importlib import metadata
from types import SimpleNamespace

import pytest

from pointkd.io import doctor


@pytest.mark.parametrize(
    ('flags', 'status', 'words'),
    [
        ({'avx2', 'avx512f', 'avx512_bf16', 'sse2'}, 'ok', 'avx512_bf16, avx512f, avx2'),
        ({'avx2', 'amx_bf16'}, 'ok', 'amx_bf16, avx2'),
        (set(), 'warn', 'no AVX2'),
    ],
)
def test_processor(flags: set[str], status: str, words: str) -> None:
    finding = doctor.processor(flags)
    assert finding.status == status
    assert finding.found.endswith(words)


@pytest.mark.parametrize(
    ('requirement', 'installed', 'status', 'words'),
    [
        ('numpy<2,>=1.26', '1.26.4', 'ok', ''),
        ('numpy<2,>=1.26', '2.1.0', 'fail', 'numpy 1'),
        ('setuptools<81; extra == "train"', '84.2.1', 'fail', 'pkg_resources'),
        ('mmengine==0.10.7; extra == "train"', '0.10.5', 'warn', "pip install 'mmengine==0.10.7'"),
        ('torch>=2.6; extra == "train"', '2.13.0+cpu', 'ok', ''),
        ('torch>=2.6; extra == "train"', None, 'fail', "pip install 'pointkd[train]'"),
        ('matplotlib>=3.8', None, 'fail', "pip install 'matplotlib>=3.8'"),
        ('tensorrt>=10; extra == "tensorrt"', None, 'ok', 'optional'),
        ('some-weights==0.1.0; extra == "imagenet"', None, 'ok', "pip install 'pointkd[imagenet]'"),
    ],
)
def test_package(
    monkeypatch: pytest.MonkeyPatch, requirement: str, installed: str | None, status: str, words: str
) -> None:
    monkeypatch.setattr(doctor, 'installed_version', lambda name: installed)
    extra, finding = doctor.package(requirement)
    assert extra in requirement
    assert finding.status == status
    assert words in finding.advice


def test_the_compiled_mmcv_counts_for_the_lite_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == 'mmcv':
            return '2.1.0'
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, 'version', version)
    assert doctor.installed_version('mmcv-lite') == '2.1.0'
    assert doctor.installed_version('torch') is None


def test_a_checkout_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, 'requires', requires)
    (finding,) = doctor.packages()
    assert finding.status == 'fail'
    assert 'make install' in finding.advice


def test_a_deployment_install_needs_no_training_stack() -> None:
    names = {finding.name for finding in doctor.packages(runtime_only=True)}
    assert {'numpy', 'onnxruntime'} <= names
    assert not {'torch', 'mmengine', 'openvino'} & names


@pytest.mark.parametrize(('gui', 'status'), [('NONE', 'ok'), ('QT5', 'warn')])
def test_opencv_with_and_without_windows(monkeypatch: pytest.MonkeyPatch, gui: str, status: str) -> None:
    fake = SimpleNamespace(__version__='4.11.0', getBuildInformation=lambda: f'  Platform\n  GUI:            {gui}\n')
    monkeypatch.setitem(sys.modules, 'cv2', fake)
    assert doctor.opencv().status == status


def test_opencv_that_can_not_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'cv2', None)
    finding = doctor.opencv()
    assert finding.status == 'fail'
    assert 'opencv-python-headless' in finding.advice


def test_a_wrong_machine_is_reported_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, 'python_problem', lambda: 'needs Python 3.11: install python3.11')
    monkeypatch.setattr(doctor, 'machine_problem', lambda: 'trains on Linux: use a container')
    findings = {finding.name: finding for finding in doctor.machine()}
    assert findings['Python'].status == findings['platform'].status == 'fail'
    assert 'container' in findings['platform'].advice
    assert 'system libraries' not in findings
