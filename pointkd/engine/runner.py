"""mmengine's runner with checkpoints that hold everything, are written whole or not at all, and resume exactly."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mmengine
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import all_gather_object, master_only
from mmengine.model import MMDistributedDataParallel, is_model_wrapper, revert_sync_batchnorm
from mmengine.registry import OPTIMIZERS, RUNNERS
from mmengine.runner import Runner
from torch import Tensor, nn

from pointkd.core.errors import CheckpointError, ConfigError, nearest
from pointkd.core.files import write_text
from pointkd.core.seeds import derive_seed, seed_everything
from pointkd.distill.distiller import Distiller
from pointkd.engine.console import make_brief
from pointkd.engine.distributed import start_processes
from pointkd.engine.precision import keep_heads_in_float32, use_channels_last
from pointkd.engine.randomness import random_states, restore_random_states
from pointkd.engine.reliability import Reliability
from pointkd.io.build import build_module
from pointkd.io.checkpoints import load_weights, read_checkpoint, save_checkpoint
from pointkd.io.hub import explained_downloads, is_hub


@RUNNERS.register_module()
class ResumableRunner(Runner):
    """mmengine's runner; the arguments are the same.

    Args:
        reliability: limits and intervals, see `Reliability`.
        plain_config: text of the config as the user gave it, which goes into checkpoints and `config.py`.
        cfg: the whole config.
        settings: mmengine's other arguments.
    """

    _runs = itertools.count()

    def __init__(self, *, reliability: Reliability, plain_config: str, cfg: Config, **settings: Any) -> None:
        self.reliability = reliability
        self.plain_config = plain_config
        self.statistics: list[dict[str, Tensor]] | None = None
        # mmengine keeps logs and histories by name and second; two runs of one process must not share them
        name = settings.pop('experiment_name', None) or Path(cfg.filename or 'run').stem
        super().__init__(experiment_name=f'{name}_{next(self._runs)}', cfg=cfg, **settings)

    @property
    def network(self) -> nn.Module:
        """The model without its distributed wrapper."""
        return self.model.module if is_model_wrapper(self.model) else self.model

    @property
    def plain_network(self) -> nn.Module:
        """The net that checkpoints belong to: the student where one is distilled."""
        return self.network.student if isinstance(self.network, Distiller) else self.network

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Set the process up; several processes without a GPU talk through gloo."""
        if self._launcher != 'none' and not torch.cuda.is_available():
            start_processes(self._launcher)
        super().setup_env(env_cfg)

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """Put the model on its device and wrap it for several processes, on the CPU too."""
        own = dict(model_wrapper_cfg or {})
        plain = own.pop('type', 'MMDistributedDataParallel') == 'MMDistributedDataParallel'
        if not self.distributed or get_device() != 'cpu' or is_model_wrapper(model) or not plain:
            return super().wrap_model(model_wrapper_cfg, model)
        if any(isinstance(layer, nn.SyncBatchNorm) for layer in model.modules()):
            self.logger.warning('SyncBN needs a GPU: on the CPU each process normalises by its own batch')
        unused = self.cfg.get('find_unused_parameters', False)
        settings = {'broadcast_buffers': False, 'find_unused_parameters': unused, **own}
        return MMDistributedDataParallel(module=revert_sync_batchnorm(model), **settings)

    def build_model(self, model: nn.Module | dict[str, Any]) -> nn.Module:
        """Build the model of the config: the student with its teacher where there is a `distill` block."""
        distill = self.cfg.get('distill')
        if isinstance(model, dict):
            if distill is not None and self._train_dataloader is not None:
                model = dict(type='Distiller', student=model, distill=distill, student_config=self.cfg)
            model = build_module(model, self.default_scope.scope_name)
        if isinstance(self.optim_wrapper, dict) and 'Amp' in str(self.optim_wrapper.get('type')):
            keep_heads_in_float32(model)
            if get_device() == 'cpu':
                use_channels_last(model)
                if isinstance(model, Distiller) and model.teacher is not None:
                    use_channels_last(model.teacher.network)
        return model

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Build the optimiser of the config, of a kind that exists."""
        kind = (optim_wrapper.get('optimizer') or {}).get('type') if isinstance(optim_wrapper, dict) else None
        if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
            raise ConfigError(f'optim_wrapper.optimizer: no type {kind!r}: {nearest(kind, OPTIMIZERS.module_dict)}')
        return super().build_optim_wrapper(optim_wrapper)

    def build_logger(self, *args: Any, **settings: Any) -> Any:
        """Return mmengine's logger; what pointkd's modules log goes to the same file and console."""
        log = super().build_logger(*args, **settings)
        make_brief(log)
        ours = logging.getLogger('pointkd')
        ours.handlers[:] = log.handlers
        ours.setLevel(logging.INFO)
        return log

    def _init_model_weights(self) -> None:
        """Initialise the weights from the seed alone, whatever was drawn before."""
        seed_everything(derive_seed(self.seed, 'weights'))
        with explained_downloads(self.cfg._cfg_dict):
            super()._init_model_weights()

    @master_only
    def dump_config(self) -> None:
        """Write the resolved config as `config.py`."""
        write_text(Path(self.work_dir) / 'config.py', self.plain_config)

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def gather_statistics(self) -> None:
        """Collect what differs between processes, the running statistics, for the next checkpoint; all must call it."""
        own = {name: buffer.cpu() for name, buffer in self.network.named_buffers()}
        self.statistics = all_gather_object(own) if self.world_size > 1 else None

    @master_only
    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict[str, Any] | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict[str, Any] | None = None,
        by_epoch: bool = True,
        backend_args: dict[str, Any] | None = None,
    ) -> None:
        """Write a checkpoint atomically (arguments as in mmengine).

        Beside mmengine's entries it has `rng` (random states) and, for a distilled student, `distill`.

        Raises:
            StorageError: full disk or no permission; what stood there before is intact.
        """
        counters = {'epoch': self.epoch + by_epoch, 'iter': self.iter + (not by_epoch)}
        content: dict[str, Any] = {
            'meta': {**counters, **(meta or {}), **self._meta()},
            'state_dict': self.network.state_dict(),
            'message_hub': self.message_hub.state_dict(),
            'rng': random_states(),
        }
        if save_optimizer:
            content['optimizer'] = self.optim_wrapper.state_dict()  # type: ignore[union-attr]
        if save_param_scheduler and self.param_schedulers is not None:
            content['param_schedulers'] = _schedulers_state(self.param_schedulers)
        if self.statistics is not None:
            content['statistics'], self.statistics = self.statistics, None
        if hasattr(self.network, 'extra_state'):
            content['distill'] = self.network.extra_state()
        self.call_hook('before_save_checkpoint', checkpoint=content)
        save_checkpoint(Path(out_dir) / filename, {key: plain(value) for key, value in content.items()})

    def _meta(self) -> dict[str, Any]:
        """Return what a checkpoint says about its run."""
        return {
            'cfg': self.plain_config,
            'seed': self.seed,
            'world_size': self.world_size,
            'threads': torch.get_num_threads(),
            'experiment_name': self.experiment_name,
            'time': time.strftime('%Y%m%d_%H%M%S'),
            'mmengine_version': mmengine.__version__,
            'dataset_meta': getattr(self.train_dataloader.dataset, 'metainfo', None),
        }

    def load_checkpoint(
        self, filename: str, map_location: Any = 'cpu', strict: bool = False, revise_keys: Any = ((r'^module\.', ''),)
    ) -> dict[str, Any]:
        """Load weights: exactly when resuming, as far as names and shapes fit from `load_from`.

        Raises:
            CheckpointError: the file can't be read, or (resuming) belongs to another network.
        """
        if not self._resume or is_hub(filename):
            if not is_hub(filename):
                read_checkpoint(filename)  # one clear sentence where mmengine would show a traceback
            with explained_downloads(self.cfg._cfg_dict):
                return super().load_checkpoint(filename, map_location, strict, list(revise_keys))
        content = read_checkpoint(filename)
        self._warn_of_changes(content['meta'])
        processes = content['meta'].get('world_size', 1)
        if processes != self.world_size:
            raise CheckpointError(
                f'{filename}: was written by a run of {processes} processes, this one has {self.world_size}: batches '
                'would differ; resume with the same number'
            )
        self.call_hook('after_load_checkpoint', checkpoint=content)
        load_weights(self.plain_network, content, name=filename)
        if 'distill' in content and hasattr(self.network, 'load_extra_state'):
            self.network.load_extra_state(content['distill'])
        if 'statistics' in content:
            for name, buffer in self.network.named_buffers():
                buffer.copy_(content['statistics'][self.rank][name])
        if 'rng' in content:
            restore_random_states(content['rng'])
        self._has_loaded = True
        return content

    def _warn_of_changes(self, meta: dict[str, Any]) -> None:
        """Say what makes a resumed run differ from an unbroken one."""
        if meta.get('cfg') != self.plain_config:
            self.logger.warning('the config has changed since the checkpoint was written')
        threads = meta.get('threads', torch.get_num_threads())
        if threads != torch.get_num_threads():
            self.logger.warning(
                f'the checkpoint was written with {threads} threads, this process has {torch.get_num_threads()}: sums '
                'round differently, so the weights will not be equal bit for bit (OMP_NUM_THREADS sets the number)'
            )


def _schedulers_state(schedulers: Any) -> Any:
    """Return the states of a list of schedulers, or of a list for each optimiser."""
    if isinstance(schedulers, Mapping):
        return {name: _schedulers_state(entries) for name, entries in schedulers.items()}
    # OneCycle keeps its annealing function in its state: code has no place in a checkpoint, and is there after building
    states = [scheduler.state_dict() for scheduler in schedulers]
    return [{key: value for key, value in state.items() if not callable(value)} for state in states]


def plain(value: Any) -> Any:
    """Return nested containers in the types that `weights_only` reading accepts (no configs, no paths)."""
    if isinstance(value, Path):
        return str(value)
    if type(value) in (list, tuple):
        return type(value)(plain(entry) for entry in value)
    if isinstance(value, Mapping) and not hasattr(value, '_metadata'):
        return {key: plain(entry) for key, entry in value.items()}
    return value
