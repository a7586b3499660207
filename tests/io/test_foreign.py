import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.public_yolov8 import other_project
from torch import nn

from pointkd.core.errors import CheckpointError
from pointkd.io.foreign import Record, module_tensors, read_foreign


class Runs:
    """A pickled object whose reading would run a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def written(tmp_path, content):
    torch.save(content, tmp_path / 'file.pt')
    return tmp_path / 'file.pt'


def rewritten(path, change, compression=zipfile.ZIP_STORED):
    """Copy an archive with its entries changed: `change(name, content)` gives the new content, or None."""
    out = path.with_name('changed.pt')
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, 'w', compression) as target:
        for name in source.namelist():
            content = change(name, source.read(name))
            if content is not None:
                target.writestr(name, content)
    return out


def test_plain_content_comes_back(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    content = {
        'tensors': [base, base[1:3, ::2], base.t(), torch.tensor(3), torch.zeros(0, 2), torch.ones(2).bfloat16()],
        'parameter': nn.Parameter(torch.ones(3).half()),
        'rest': (1, 2.5, 'text', None, True, {1, 2}, torch.Size([2, 3]), torch.float16),
    }
    found = read_foreign(written(tmp_path, content))
    for one, other in zip(found['tensors'], content['tensors'], strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    assert torch.equal(found['parameter'], content['parameter'].detach())
    assert found['rest'] == content['rest']


def test_modules_are_records_with_their_tensors(tmp_path):
    with other_project() as classes:
        model = classes['Conv']()
        model.conv = nn.Conv2d(2, 3, 1)
        model.bn = nn.BatchNorm2d(3)
        model.register_buffer('scratch', torch.ones(1), persistent=False)
        model.where, model.when = Path('runs'), np.float64(0.5)
        wanted = model.state_dict()
        path = written(tmp_path, {'model': model})
    found = read_foreign(path)['model']
    assert isinstance(found, Record)
    assert found.kind == 'ultralytics.nn.modules.conv.Conv'
    weights = dict(module_tensors(found))
    assert weights.keys() == wanted.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in wanted.items())
    assert isinstance(found.state['where'], Record)


def test_a_state_dict_counts_as_a_network():
    assert dict(module_tensors({'a.b': torch.ones(1)}, 'net.')) == {'net.a.b': torch.ones(1)}
    for other in ({'a': 1}, [torch.ones(1)]):
        with pytest.raises(CheckpointError, match='expected a network or a state dict'):
            dict(module_tensors(other))


@pytest.mark.parametrize(
    'thing',
    [
        lambda mark: Runs(Path.touch, mark),
        lambda mark: Runs(eval, f'open({str(mark)!r}, "w")'),
        lambda mark: Runs(exec, f'open({str(mark)!r}, "w")'),
        lambda mark: Runs(getattr, 'text', 'upper'),
        lambda mark: Runs(torch.hub.load, str(mark)),
        lambda mark: Runs(np.fromfile, str(mark)),
        lambda mark: Runs(__import__, 'this'),
    ],
)
def test_code_is_refused_and_not_run(tmp_path, thing):
    mark = tmp_path / 'mark'
    path = written(tmp_path, {'weights': torch.ones(2), 'trap': thing(mark)})
    with pytest.raises(CheckpointError, match='refused: it names'):
        read_foreign(path)
    assert not mark.exists()


def test_a_name_with_dots_reaches_nothing(tmp_path):
    stream = b'\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93.'
    path = rewritten(written(tmp_path, {}), lambda name, content: stream if name.endswith('data.pkl') else content)
    with pytest.raises(CheckpointError, match=r'OrderedDict\.fromkeys'):
        read_foreign(path)


def test_tensors_stay_within_their_storage(tmp_path):
    big = torch._utils._rebuild_tensor_v2
    storage = torch.ones(4).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    for offset, size, stride in ((2, (4,), (1,)), (0, (10**6,), (0,)), (0, (-1,), (1,)), (-1, (2,), (1,))):
        path = written(tmp_path, [Runs(big, typed, offset, size, stride, False, {})])
        with pytest.raises(CheckpointError, match='broken'):
            read_foreign(path)


def test_broken_files_say_so(tmp_path):
    path = written(tmp_path, {'weights': torch.arange(100.0)})
    short = tmp_path / 'short.pt'
    short.write_bytes(path.read_bytes()[:-300])
    text = tmp_path / 'text.pt'
    text.write_bytes(b'not a checkpoint')
    plain = tmp_path / 'pickle.pt'
    plain.write_bytes(pickle.dumps({'a': 1}))
    for broken in (short, text, plain):
        with pytest.raises(CheckpointError, match=r'truncated or no file of torch\.save'):
            read_foreign(broken)
    with pytest.raises(CheckpointError, match='no such checkpoint'):
        read_foreign(tmp_path / 'absent.pt')
    drop = rewritten(path, lambda name, content: None if '/data/' in name else content)
    with pytest.raises(CheckpointError, match='lacks'):
        read_foreign(drop)
    cut = rewritten(path, lambda name, content: content[:-4] if '/data/' in name else content)
    with pytest.raises(CheckpointError, match='396 bytes, expected 400'):
        read_foreign(cut)
    packed = rewritten(path, lambda name, content: content, zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match='compressed'):
        read_foreign(packed)
    other = rewritten(path, lambda name, content: b'big' if name.endswith('byteorder') else content)
    with pytest.raises(CheckpointError, match='big-endian'):
        read_foreign(other)
    cropped = rewritten(path, lambda name, content: content[:20] if name.endswith('data.pkl') else content)
    with pytest.raises(CheckpointError, match='broken'):
        read_foreign(cropped)
