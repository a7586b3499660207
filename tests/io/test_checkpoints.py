"""Checkpoints: read without running code, loaded strictly, written whole or not at all."""

from __future__ import annotations

import errno
import os
import pickle
import random
import resource
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from torch import nn

from pointkd.core.errors import CheckpointError, StorageError
from pointkd.io.checkpoints import load_weights, read_checkpoint, save_checkpoint, weights_of


def net(width: int = 4) -> nn.Module:
    """Return a small net with batch norm."""
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(3, width, 3), norm=nn.BatchNorm2d(width), head=nn.Linear(width, 2)))


class Bomb:
    """An object whose pickle runs a command when it is loaded."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple:
        return os.system, (self.command,)


# -- reading -------------------------------------------------------------------------------------------------------


def test_everything_a_run_writes_is_read_back(tmp_path: Path) -> None:
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    content = {
        'meta': {'cfg': 'a = 1', 'iter': 3, 'shape': (1, 2), 'names': {'a'}, 'none': None},
        'state_dict': net().state_dict(),
        'message_hub': {'log_scalars': OrderedDict(loss=history), 'mean': np.float64(1.5), 'count': np.int64(3)},
        'rng': {'python': random.getstate(), 'torch': torch.get_rng_state(), 'array': np.arange(3)},
    }
    save_checkpoint(tmp_path / 'a.pth', content)
    read = read_checkpoint(tmp_path / 'a.pth')
    assert read['meta'] == content['meta']
    assert read['rng']['python'] == content['rng']['python']
    assert read['message_hub']['log_scalars']['loss'].mean() == history.mean()
    assert read['state_dict']._metadata == content['state_dict']._metadata


def test_format_before_torch_1_6(tmp_path: Path) -> None:
    torch.save({'state_dict': net().state_dict()}, tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    load_weights(net(), tmp_path / 'old.pth')


@pytest.mark.parametrize('legacy', [False, True])
def test_code_is_refused_and_does_not_run(tmp_path: Path, legacy: bool) -> None:
    mark = tmp_path / 'ran'
    content = {'state_dict': {}, 'extra': Bomb(f'touch {mark}')}
    torch.save(content, tmp_path / 'bomb.pth', _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match=r'bomb\.pth: refused: besides weights it holds \w+\.system'):
        read_checkpoint(tmp_path / 'bomb.pth')
    assert not mark.exists()


def test_plain_pickle_with_code_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / 'ran'
    (tmp_path / 'bomb.pth').write_bytes(pickle.dumps({'a': Bomb(f'touch {mark}')}))
    with pytest.raises(CheckpointError, match=r'bomb\.pth'):
        read_checkpoint(tmp_path / 'bomb.pth')
    assert not mark.exists()


def test_getattr_reaches_statistics_only(tmp_path: Path) -> None:
    class Reach:
        def __reduce__(self) -> tuple:
            return getattr, (HistoryBuffer, '__init__')

    torch.save({'a': Reach()}, tmp_path / 'reach.pth')
    with pytest.raises(CheckpointError, match=r"refused: a checkpoint may not ask for attribute '__init__'"):
        read_checkpoint(tmp_path / 'reach.pth')


@pytest.mark.parametrize('share', [0.0, 0.3, 0.97])
def test_truncated_file(tmp_path: Path, share: float) -> None:
    save_checkpoint(tmp_path / 'a.pth', {'state_dict': net().state_dict()})
    content = (tmp_path / 'a.pth').read_bytes()
    (tmp_path / 'a.pth').write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match='is empty' if not share else 'is truncated or not a checkpoint'):
        read_checkpoint(tmp_path / 'a.pth')


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / 'teacher.pth', {'state_dict': {}})
    with pytest.raises(CheckpointError, match=r"no such checkpoint: did you mean 'teacher\.pth'"):
        read_checkpoint(tmp_path / 'techer.pth')
    with pytest.raises(CheckpointError, match=r'the folder .*nowhere does not exist'):
        read_checkpoint(tmp_path / 'nowhere' / 'a.pth')
    with pytest.raises(CheckpointError, match='is a folder'):
        read_checkpoint(tmp_path)
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(CheckpointError, match='holds a list, expected a dict'):
        read_checkpoint(tmp_path / 'list.pth')
    (tmp_path / 'text.pth').write_text('hello')
    with pytest.raises(CheckpointError, match='not a checkpoint'):
        read_checkpoint(tmp_path / 'text.pth')
    with pytest.raises(CheckpointError, match='no weights in it; its keys are meta'):
        weights_of({'meta': {}})


# -- loading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('key', ['state_dict', 'model', 'model_state_dict', None])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_formats_in_use(tmp_path: Path, key: str | None, prefix: str) -> None:
    source, target = net(), net()
    weights = {prefix + name: value for name, value in source.state_dict().items()}
    save_checkpoint(tmp_path / 'a.pth', {key: weights} if key else weights)
    load_weights(target, tmp_path / 'a.pth')
    assert all(
        torch.equal(a, b) for a, b in zip(source.state_dict().values(), target.state_dict().values(), strict=True)
    )


def test_prefix_is_cut_from_the_metadata_too() -> None:
    wrapper = nn.Module()
    wrapper.module = net()
    cut = weights_of(wrapper.state_dict())
    assert cut._metadata == net().state_dict()._metadata


def test_wrong_architecture_is_summarised_and_nothing_is_loaded() -> None:
    weights = net(8).state_dict()
    weights['bakbone.weight'] = weights.pop('head.weight')
    target = net()
    before = {name: value.clone() for name, value in target.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_weights(target, weights)
    message = str(caught.value)
    assert 'does not belong to this Sequential' in message
    assert '1 missing (head.weight)' in message
    assert '1 unexpected (bakbone.weight)' in message
    assert 'conv.weight is 8x3x3x3 in the file and 4x3x3x3 in the network' in message
    assert 'more)' in message
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())


def test_files_without_batch_counters_load() -> None:
    weights = {name: value for name, value in net().state_dict().items() if 'num_batches' not in name}
    load_weights(net(), weights)


def test_sparse_weights_are_not_permuted() -> None:
    from pointkd.io.build import prepare

    prepare()
    import mmdet3d.models  # noqa: F401  patches how sparse layers load
    import spconv.pytorch as spconv

    def sparse() -> nn.Module:
        return nn.Sequential(spconv.SubMConv3d(3, 3, 3, bias=False))  # every axis has the same length

    source, target = sparse(), sparse()
    load_weights(target, dict(source.state_dict()))
    assert torch.equal(source[0].weight, target[0].weight)
    old = {'0.weight': source[0].weight.detach().permute(1, 2, 3, 4, 0).contiguous()}
    wide = nn.Sequential(spconv.SubMConv3d(2, 4, 3, bias=False))
    load_weights(wide, {'0.weight': torch.arange(216.0).reshape(3, 3, 3, 2, 4)})  # mmcv's layout, seen by its shape
    assert torch.equal(wide[0].weight[1, 0, 0, 0], torch.tensor([1.0, 5.0]))
    assert old['0.weight'].shape == source[0].weight.shape


# -- saving --------------------------------------------------------------------------------------------------------

FULL = """
import resource, signal, sys, torch
from pointkd.core.errors import StorageError
from pointkd.io.checkpoints import save_checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    save_checkpoint(sys.argv[1], {'state_dict': {'a': torch.zeros(100_000)}})
except StorageError as error:
    print(error)
"""


def test_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / 'last.pth'
    save_checkpoint(file, {'meta': 'old'})
    done = subprocess.run([sys.executable, '-c', FULL, str(file)], capture_output=True, text=True, check=True)
    assert 'last.pth: could not be written' in done.stdout
    assert read_checkpoint(file) == {'meta': 'old'}
    assert [entry.name for entry in tmp_path.iterdir()] == ['last.pth']


def test_no_space_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    file = tmp_path / 'last.pth'
    save_checkpoint(file, {'meta': 'old'})
    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(StorageError, match=r'last\.pth: the disk is full; nothing was overwritten'):
        save_checkpoint(file, {'meta': 'new'})
    assert read_checkpoint(file) == {'meta': 'old'}
    assert resource.getrlimit(resource.RLIMIT_FSIZE)  # this process's own limit is untouched
