"""Is the teacher worth learning from? Its score on the validation set, before the first step."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pointkd.core.errors import ConfigError, TrainingError, nearest


@HOOKS.register_module()
class TeacherCheckHook(Hook):
    """Evaluates the teacher once, logs its metrics, and stops a run whose teacher is too weak.

    `distill.teacher.check_ap` and `distill.teacher.min_ap` of a config add it. A resumed run does not repeat it.

    Args:
        metric: name of the metric that `floor` speaks of.
        floor: least value that is good enough; None only logs.
    """

    priority = 'LOW'

    def __init__(self, metric: str | None = None, floor: float | None = None) -> None:
        if floor is not None and metric is None:
            raise ConfigError(
                'distill.teacher.min_ap needs distill.teacher.metric: the name of the metric it speaks of'
            )
        self.metric, self.floor = metric, floor

    def before_train(self, runner: Any) -> None:
        """Evaluate, unless the run goes on from a checkpoint."""
        teacher = getattr(runner.network, 'teacher', None)
        if teacher is None or runner.iter > 0:
            return
        if runner.val_loop is None:
            raise ConfigError(
                'distill.teacher: the check needs val_dataloader, val_cfg and val_evaluator in the config'
            )
        metrics = evaluate_network(teacher.network, runner.val_loop)
        shown = '  '.join(f'{name}: {value:.4f}' for name, value in metrics.items() if isinstance(value, int | float))
        runner.logger.info(f'teacher on the validation set: {shown}')
        runner.message_hub.update_info('teacher_metrics', metrics)
        if self.floor is None:
            return
        if self.metric not in metrics:
            raise ConfigError(
                f'distill.teacher.metric: no metric {self.metric!r}: {nearest(str(self.metric), metrics)}'
            )
        if not metrics[self.metric] >= self.floor:
            raise TrainingError(
                f'the teacher scores {metrics[self.metric]:.4f} in {self.metric}, below distill.teacher.min_ap = '
                f'{self.floor}: train it further, or check that its config, data and checkpoint belong together'
            )


@torch.no_grad()
def evaluate_network(network: torch.nn.Module, loop: Any) -> dict[str, Any]:
    """Return the metrics of a network with the data and the evaluator of a validation loop."""
    training = network.training
    network.eval()
    for batch in loop.dataloader:
        loop.evaluator.process(data_samples=network.val_step(batch), data_batch=batch)
    network.train(training)
    return loop.evaluator.evaluate(len(loop.dataloader.dataset))
