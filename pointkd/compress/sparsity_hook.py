"""The training hook of sparsity: eligible layers, the penalty at every optimiser step, histograms over epochs."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pointkd.compress.coupling import couple
from pointkd.compress.graphs import graph_of
from pointkd.compress.importance import scale_names
from pointkd.compress.sparsity import FILE, KINDS, SCHEDULES, add_subgradient, histogram, rate, shrink
from pointkd.core.errors import ConfigError, nearest
from pointkd.core.files import write_json

DEAD = 1e-3  # a scale below this is counted as zero

logger = logging.getLogger(__name__)


@HOOKS.register_module()
class SparsityHook(Hook):
    """Penalises |γ| of the batch norms whose channels may be pruned.

    The penalty acts inside the optimiser's step: after AMP has unscaled the gradients and after clipping, once a step
    however many batches are accumulated, and not at all in a step that AMP skips. The histogram of |γ| goes to
    `sparsity.json` in the work folder after each epoch.

    Args:
        strength: λ₀.
        kind: `'subgradient'` adds λ sign(γ) to the gradient; `'proximal'` shrinks γ by lr λ after the step, to exact
            zeros.
        schedule: of λ over the training: `falling` (the paper's), `rising`, `constant` or `cosine`.
        bias_strength: λ of a sub-gradient on the shifts β of the same layers, so that a dead channel emits nothing.
        layers: regular expressions of the batch norms to penalise; by default those whose channels the dependency
            graph says can be pruned.
        keep: modules that pruning will leave whole.
        interval: iterations between histograms where training does not count epochs.

    Raises:
        ConfigError: a setting is out of range.
    """

    def __init__(
        self,
        *,
        strength: float = 1e-3,
        kind: str = 'subgradient',
        schedule: str = 'falling',
        bias_strength: float = 0.0,
        layers: Sequence[str] | None = None,
        keep: Sequence[str] = (),
        interval: int = 500,
    ) -> None:
        if not strength > 0 or bias_strength < 0:
            raise ConfigError(f'SparsityHook: strength must be above 0, got {strength:g} (bias {bias_strength:g})')
        if kind not in KINDS:
            raise ConfigError(f'SparsityHook: kind {kind!r}: {nearest(kind, KINDS)}')
        if schedule not in SCHEDULES:
            raise ConfigError(f'SparsityHook: schedule {schedule!r}: {nearest(schedule, SCHEDULES)}')
        if interval < 1:
            raise ConfigError(f'SparsityHook: interval {interval}: expected at least 1')
        self.strength, self.kind, self.schedule = strength, kind, schedule
        self.bias_strength, self.layers, self.keep, self.interval = bias_strength, layers, tuple(keep), interval
        self.scales: dict[str, Tensor] = {}
        self.shifts: list[Tensor] = []
        self.done = 0.0
        self.history: list[dict[str, Any]] = []
        self.handles: list[Any] = []

    # -- lifecycle -----------------------------------------------------------------------------------------------

    def before_train(self, runner: Any) -> None:
        """Find the layers and stand in the optimiser's way.

        Raises:
            ConfigError: there is no such layer, or weight decay acts on scales too.
        """
        network = getattr(runner, 'plain_network', runner.model)
        names = self._chosen(network)
        norms = [network.get_submodule(name) for name in names]
        self.scales = dict(zip(names, (norm.weight for norm in norms), strict=True))
        self.shifts = [norm.bias for norm in norms if norm.bias is not None]
        optimizer = runner.optim_wrapper.optimizer
        self._check_optimizer(optimizer)
        self.handles = [optimizer.register_step_pre_hook(self._before_step)]
        if self.kind == 'proximal':
            self.handles.append(optimizer.register_step_post_hook(self._after_step))
        self.history = self._earlier(runner)
        runner.logger.info(f'sparsity: {len(names)} batch norms, {sum(map(len, self.scales.values()))} scales')

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Note how far the training is: by epochs where it counts them, as the paper does."""
        epochs = _counts_epochs(runner)
        self.done = runner.epoch / runner.max_epochs if epochs else runner.iter / runner.max_iters

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Note a histogram where training does not count epochs."""
        if not _counts_epochs(runner) and self.every_n_train_iters(runner, self.interval):
            self._note(runner, runner.iter + 1)

    def after_train_epoch(self, runner: Any) -> None:
        """Note a histogram."""
        if _counts_epochs(runner):
            self._note(runner, runner.epoch + 1)

    def after_train(self, runner: Any) -> None:
        """Step out of the optimiser's way."""
        for handle in self.handles:
            handle.remove()
        self.handles = []

    # -- the penalty ---------------------------------------------------------------------------------------------

    @property
    def current(self) -> float:
        """The rate λ now."""
        return rate(self.strength, self.schedule, self.done)

    def _before_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """Add the sub-gradients."""
        if self.kind == 'subgradient':
            add_subgradient(list(self.scales.values()), self.current)
        if self.bias_strength:
            add_subgradient(self.shifts, self.bias_strength)

    def _after_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """Shrink, with the learning rate of each scale's parameter group."""
        own = {id(scale) for scale in self.scales.values()}
        for group in optimizer.param_groups:
            scales = [value for value in group['params'] if id(value) in own]
            if scales:
                shrink(scales, float(group['lr']) * self.current)

    # -- choice and record ---------------------------------------------------------------------------------------

    def _chosen(self, network: nn.Module) -> list[str]:
        """Return the names of the batch norms to penalise."""
        if self.layers is None:
            names = scale_names(couple(network, graph_of(network), self.keep).prunable(), network)
        else:
            known = [
                name
                for name, module in network.named_modules()
                if isinstance(module, _BatchNorm) and module.weight is not None
            ]
            idle = [pattern for pattern in self.layers if not any(re.search(pattern, name) for name in known)]
            if idle:
                raise ConfigError(f'SparsityHook: layers: no batch norm matches {idle[0]!r}: {nearest(idle[0], known)}')
            names = [name for name in known if any(re.search(pattern, name) for pattern in self.layers)]
        trained = [name for name in names if network.get_submodule(name).weight.requires_grad]
        if len(trained) < len(names):
            logger.warning('sparsity: %d batch norms are frozen and left alone', len(names) - len(trained))
        if not trained:
            raise ConfigError('SparsityHook: the network has no trained batch norm whose channels can be pruned')
        return trained

    def _check_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Raise where weight decay would act on scales too, or the optimiser does not train them."""
        own = {id(scale): name for name, scale in self.scales.items()}
        for group in optimizer.param_groups:
            found = [own.pop(id(value)) for value in group['params'] if id(value) in own]
            if found and group.get('weight_decay'):
                raise ConfigError(
                    f'SparsityHook: weight decay {group["weight_decay"]:g} acts on {found[0]} too; '
                    'set optim_wrapper.paramwise_cfg=dict(norm_decay_mult=0)'
                )
        if own:
            raise ConfigError(f'SparsityHook: the optimiser does not train {next(iter(own.values()))}')

    def _earlier(self, runner: Any) -> list[dict[str, Any]]:
        """Return the histograms of a run that is resumed, up to where it goes on."""
        path = Path(runner.work_dir) / FILE
        at = runner.epoch if _counts_epochs(runner) else runner.iter
        if not at or not path.is_file():
            return []
        return [entry for entry in json.loads(path.read_text(encoding='utf-8'))['history'] if entry['at'] <= at]

    def _note(self, runner: Any, at: int) -> None:
        """Add a histogram and write the file."""
        scales = list(self.scales.values())
        values = torch.cat([scale.detach().abs().flatten() for scale in scales])
        share = float((values < DEAD).float().mean())
        self.history.append({'at': at, 'rate': self.current, 'near_zero': share, 'histogram': histogram(scales)})
        runner.message_hub.update_scalar('train/sparsity_near_zero', share)
        self._write(Path(runner.work_dir) / FILE, 'epoch' if _counts_epochs(runner) else 'iteration')

    @master_only
    def _write(self, path: Path, unit: str) -> None:
        """Write the record."""
        settings = {'strength': self.strength, 'kind': self.kind, 'schedule': self.schedule}
        write_json(path, {**settings, 'unit': unit, 'layers': list(self.scales), 'history': self.history})


def _counts_epochs(runner: Any) -> bool:
    """Return whether a training counts epochs."""
    return isinstance(runner.train_loop, EpochBasedTrainLoop)
