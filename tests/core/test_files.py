import errno
import hashlib
import json
import os

import pytest

from pointkd.core import files
from pointkd.core.errors import StorageError
from pointkd.core.files import atomic_write, sha256, write_json, write_text


def test_writes_and_makes_the_folder(tmp_path):
    write_text(tmp_path / 'a' / 'b.txt', 'grüß\n')
    assert (tmp_path / 'a' / 'b.txt').read_text(encoding='utf-8') == 'grüß\n'


def test_json_is_readable_and_refuses_nan(tmp_path):
    write_json(tmp_path / 'a.json', {'x': [1, 2]})
    assert json.loads((tmp_path / 'a.json').read_text()) == {'x': [1, 2]}
    with pytest.raises(ValueError):
        write_json(tmp_path / 'a.json', {'x': float('nan')})
    assert json.loads((tmp_path / 'a.json').read_text()) == {'x': [1, 2]}


def test_an_error_inside_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / 'a.txt'
    write_text(target, 'old')

    def write_half():
        with atomic_write(target) as file:
            file.write(b'half of the n')
            raise RuntimeError('stop')

    with pytest.raises(RuntimeError, match='stop'):
        write_half()
    assert target.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a.txt']


def test_the_new_content_shows_only_at_the_end(tmp_path):
    target = tmp_path / 'a.txt'
    write_text(target, 'old')
    with atomic_write(target) as file:
        file.write(b'new')
        file.flush()
        assert target.read_text() == 'old'
    assert target.read_text() == 'new'


@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize('step', ['fsync', 'replace'])
def test_a_full_disk_is_said_and_the_old_file_kept(tmp_path, monkeypatch, code, step):
    target = tmp_path / 'a.txt'
    write_text(target, 'old')

    def full(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, step, full)
    with pytest.raises(StorageError, match='the disk is full; nothing was overwritten'):
        write_text(target, 'new')
    monkeypatch.undo()
    assert target.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a.txt']


def test_a_full_disk_while_the_caller_writes(tmp_path):
    with pytest.raises(StorageError, match='the disk is full'), atomic_write(tmp_path / 'a.txt'):
        raise OSError(errno.ENOSPC, 'No space left on device')
    assert os.listdir(tmp_path) == []


def test_a_place_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(StorageError, match='could not be written'):
        write_text(tmp_path / 'file' / 'a.txt', 'x')


def test_sha256(tmp_path):
    (tmp_path / 'a').write_bytes(b'abc')
    assert sha256(tmp_path / 'a') == hashlib.sha256(b'abc').hexdigest()
