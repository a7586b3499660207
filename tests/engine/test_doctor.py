"""The self-test: passes here, and a wrong or broken op is a finding, not a crash."""

from __future__ import annotations

import pytest
import torch

from pointkd.engine import doctor


@pytest.mark.parametrize('test', [doctor.voxelise, doctor.sparse_convolution, doctor.op_backend, doctor.device])
def test_passes(test) -> None:
    assert doctor.outcome('it', test).status == 'ok'


@pytest.mark.long
def test_everything_passes() -> None:
    assert {finding.status for finding in doctor.self_test()} == {'ok'}


def test_a_wrong_result_is_a_failure_that_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import mmcv.ops

    monkeypatch.setattr(mmcv.ops, 'nms_rotated', lambda boxes, scores, threshold: (None, torch.tensor([0, 1, 2])))
    finding = doctor.outcome('rotated NMS', doctor.rotated_nms)
    assert finding.status == 'fail'
    assert 'expected [1, 2], got [0, 1, 2]' in finding.found


def test_a_crash_is_a_failure() -> None:
    def crash() -> str:
        raise RuntimeError('no such kernel')

    finding = doctor.outcome('op', crash)
    assert (finding.status, finding.found) == ('fail', 'RuntimeError: no such kernel')


def test_tensors_must_agree() -> None:
    doctor.expect_close('output', torch.ones(3), torch.ones(3) + 1e-6)
    for wrong in (torch.zeros(3), torch.full((3,), torch.nan)):
        with pytest.raises(ImportError, match='output: differs'):
            doctor.expect_close('output', wrong, torch.ones(3))
