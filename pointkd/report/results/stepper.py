"""A training in a process of its own that makes some steps whenever it is told to, and says how long they took.

`python -m pointkd.report.results.stepper REQUEST` reads a line from stdin for each block of steps, and answers with a
JSON line on stdout: seconds of the steps that count, highest memory so far in MB. What else it prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from dataclasses import dataclass
from typing import Any, TextIO

from mmengine.hooks import Hook

SKIPPED = 2  # steps at the start of a block: batches were loaded while it waited, caches are cold


@dataclass(frozen=True)
class Request:
    """What a stepper trains.

    Attributes:
        config: config file.
        options: its changes, as behind `--cfg-options`.
        data: data root.
        folder: work folder, for logs.
        amp: mixed precision.
        blocks: how many.
        steps: of a block that count.
    """

    config: str
    options: list[str]
    data: str
    folder: str
    amp: bool
    blocks: int
    steps: int

    @property
    def iterations(self) -> int:
        """Steps of the whole run."""
        return self.blocks * (self.steps + SKIPPED)


class StepClock(Hook):
    """Waits at the start of each block, and reports its end.

    Args:
        request: sizes of the blocks.
        orders: a line for each block.
        answers: where the reports go.
    """

    priority = 'LOWEST'

    def __init__(self, request: Request, orders: TextIO, answers: TextIO) -> None:
        self.block, self.orders, self.answers = request.steps + SKIPPED, orders, answers
        self.seconds: list[float] = []
        self.last = 0.0

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Wait for the order, where a block begins."""
        if runner.iter % self.block == 0:
            if not self.orders.readline():
                raise KeyboardInterrupt  # nobody asks any more
            self.seconds = []
            self.last = time.perf_counter()

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Note the time since the last step, data loading included; report where a block ends."""
        now = time.perf_counter()
        self.seconds.append(now - self.last)
        self.last = now
        if len(self.seconds) == self.block:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            self.answers.write(json.dumps({'seconds': self.seconds[SKIPPED:], 'peak_mb': round(peak)}) + '\n')
            self.answers.flush()


def serve(request: Request, orders: TextIO, answers: TextIO) -> None:
    """Train as requested, block by block."""
    import pointkd.engine  # noqa: F401  (prepares the packages)
    from pointkd.engine.train import build_runner
    from pointkd.io.config import load_config

    config = load_config(request.config, data_root=request.data, pretrained=False, options=request.options)
    runner = build_runner(config, request.folder, amp=request.amp)
    runner.register_hook(StepClock(request, orders, answers))
    runner.train()


def main() -> None:
    """Serve the request on the command line."""
    answers = os.fdopen(os.dup(1), 'w', encoding='utf-8')
    os.dup2(2, 1)
    serve(Request(**json.loads(sys.argv[1])), sys.stdin, answers)


if __name__ == '__main__':
    main()
