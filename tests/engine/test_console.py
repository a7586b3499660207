"""The console is short, the file is whole."""

from __future__ import annotations

import io
import logging
from pathlib import Path

from pointkd.engine.console import MOST_CHARACTERS, MOST_LINES, make_brief


def test_console_is_brief_and_the_file_whole(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = logging.Logger('a run')
    log.addHandler(logging.StreamHandler(stream))
    log.addHandler(logging.FileHandler(tmp_path / 'run.log'))
    for _ in range(2):  # twice is as once
        make_brief(log)
    log.info('Config:\nmodel = 1')
    log.info('\n' + '-' * 60 + '\nSystem environment:')
    log.info('Iter(train) [20/100] loss: %.1f', 2.5)
    log.info('table\n' + 'row\n' * MOST_LINES)
    log.info('x' * (MOST_CHARACTERS + 1))
    lines = stream.getvalue().splitlines()
    assert lines[0] == 'Iter(train) [20/100] loss: 2.5'
    assert lines[1:3] == ['table', 'row']
    assert lines[-2] == '... (1 lines more in the log file)'
    assert lines[-1] == 'x' * MOST_CHARACTERS + ' ...'
    whole = (tmp_path / 'run.log').read_text()
    assert 'model = 1' in whole
    assert 'System environment' in whole
    assert whole.count('row') == MOST_LINES
