"""Counts the frames that training skipped, names them in the log and in a file, and stops when there are too many."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pointkd.core.errors import TrainingError
from pointkd.core.files import write_json
from pointkd.engine.reliability import Reliability

FILE = 'bad_frames.json'


@HOOKS.register_module()
class BadFrameHook(Hook):
    """Keeps `bad_frames.json` in the work folder: each skipped frame, why, and how often it was drawn.

    With several processes each counts what it drew itself (`bad_frames.1.json` for the second, and so on).

    Args:
        reliability: has the limit.
    """

    priority = 'VERY_HIGH'

    def __init__(self, reliability: Reliability) -> None:
        self.reliability = reliability
        self.frames: dict[str, dict[str, Any]] = {}
        self.limit = 0

    def before_train(self, runner: Any) -> None:
        """Take up the count of a run that is resumed, or start a new one."""
        self.limit = self.reliability.bad_frame_limit(len(runner.train_dataloader.dataset))
        file = self._file(runner)
        if runner.iter > 0 and file.is_file():
            self.frames = json.loads(file.read_text(encoding='utf-8'))['frames']
        else:
            file.unlink(missing_ok=True)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Report what this iteration's samples took the place of."""
        skipped = getattr(runner.train_loop, 'skipped_frames', [])
        for entry in skipped:
            known = self.frames.setdefault(entry['frame'], {'reason': entry['reason'], 'count': 0})
            known['count'] += 1
            if known['count'] == 1:
                number = f'{len(self.frames)} of at most {self.limit}'
                runner.logger.warning(f'skipped frame {entry["frame"]} ({number}): {entry["reason"]}')
        if skipped:
            write_json(self._file(runner), {'limit': self.limit, 'frames': self.frames})
        if len(self.frames) > self.limit:
            shown = '; '.join(f'{name}: {entry["reason"]}' for name, entry in list(self.frames.items())[-3:])
            raise TrainingError(
                f'{len(self.frames)} frames can not be used, more than reliability.max_bad_frames allows '
                f'({self.limit}). The last: {shown}. All of them: {self._file(runner)}; `pointkd check-data` looks at '
                'the whole data set'
            )

    @staticmethod
    def _file(runner: Any) -> Path:
        """Return this process's report file."""
        return Path(runner.work_dir) / (FILE if runner.rank == 0 else f'bad_frames.{runner.rank}.json')
