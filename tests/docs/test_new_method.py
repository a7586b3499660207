"""The guide to a new method works as it stands."""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path

import pytest
import torch
from helpers.nets import pillars_config, raw_batch, whole_config, write_teacher
from mmengine.optim import OptimWrapper

from pointkd.distill.distiller import Distiller
from pointkd.io.config import load_config

GUIDE = Path(__file__).resolve().parents[2] / 'docs' / 'new_method.md'


def files_of(guide: Path) -> dict[str, str]:
    """Return the named files of a guide."""
    return dict(re.findall(r'<!-- file: (\S+) -->\n```python\n(.*?)```', guide.read_text(), flags=re.DOTALL))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A user's folder with the guide's files, a student and a teacher."""
    files = files_of(GUIDE)
    assert set(files) == {'attention_transfer.py', 'attention.py'}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    write_teacher(tmp_path, pillars_config(8))
    whole_config(pillars_config(4)).dump(str(tmp_path / 'student.py'))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop('attention_transfer', None)


def test_the_guide_trains(project):
    config = load_config('attention.py')
    model = Distiller(config.model, config.distill, config)
    model.init_weights()
    model.train()
    model.set_progress(50, 100)
    log = model.train_step(copy.deepcopy(raw_batch()), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01)))
    assert float(log['loss_attention_transfer']) > 0

    method = sys.modules['attention_transfer']
    n, c, h, w = (
        torch.arange(size).reshape(shape)
        for size, shape in ((2, (2, 1, 1, 1)), (3, (1, 3, 1, 1)), (4, (1, 1, 4, 1)), (5, (1, 1, 1, 5)))
    )
    student = ((7 * n + 5 * c + 3 * h + 2 * w) % 11) / 4 - 1
    teacher = ((3 * n + 4 * c + 2 * h + 5 * w) % 7) / 3 - 1
    loss = (method.attention(student) - method.attention(teacher)).square().mean()
    assert float(loss) == pytest.approx(0.0070260689, abs=1e-9)
