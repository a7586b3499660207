"""`pointkd prune`: from a config and a checkpoint to the files of a pruned network."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor, nn

from pointkd.compress.files import layer_rows, write_pruned
from pointkd.compress.importance import task_gradients
from pointkd.compress.latency import Latency, OnnxNetwork, measure_in_turns
from pointkd.compress.pruning import Pruned, Pruner, PruneSettings
from pointkd.compress.sparsity import FILE
from pointkd.core.errors import ConfigError, DataError
from pointkd.core.files import sha256
from pointkd.io.build import build_model, scope_of
from pointkd.io.plan import Plan

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """What pruning aims at; exactly one is given.

    Attributes:
        ratio: share of channels to cut.
        params: parameters at most.
        macs: multiply-adds at most, at the input size.
        latency_ms: milliseconds in ONNX Runtime on this machine, within 10 %.
    """

    ratio: float | None = None
    params: float | None = None
    macs: float | None = None
    latency_ms: float | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in asdict(self).items() if value is not None}
        if len(given) != 1:
            raise ConfigError(
                f'give one of ratio, params, macs and latency as the target, got {sorted(given) or "none"}'
            )
        for name, value in given.items():
            if name != 'ratio' and not value > 0:
                raise ConfigError(f'target {name} {value:g}: expected a number above 0')


@dataclass(frozen=True)
class Measuring:
    """How networks are measured.

    Attributes:
        size: height, width of the input, where the network does not fix it.
        runs: timed runs of each network in ONNX Runtime; 0 measures no latency.
        threads: that ONNX Runtime may use.
        batches: of training data, for gradients.
    """

    size: tuple[int, int]
    runs: int = 20
    threads: int = 1
    batches: int = 8


def prune_config(
    config: Config,
    checkpoint: str | Path,
    out_dir: str | Path,
    *,
    target: Target,
    settings: PruneSettings,
    measuring: Measuring,
) -> dict[str, Any]:
    """Prune a trained network and write what builds it; a failed step leaves what stood in the folder.

    Args:
        config: of the network.
        checkpoint: its weights.
        out_dir: gets `pruned.py`, `pruned.pth`, `plan.json` and `prune.json`.
        target: what to aim at.
        settings: how channels are chosen.
        measuring: input size and timing.

    Returns:
        The content of `prune.json`.

    Raises:
        ConfigError: a target out of reach, a ratio that empties a layer, a module that can't be pruned.
        CheckpointError: the weights can't be read or belong to another network.
    """
    if target.latency_ms is not None and measuring.runs < 1:
        raise ConfigError('a target latency needs timed runs')
    network = build_model(config, checkpoint)
    gradients = loss_gradients(network, config, measuring.batches) if settings.importance == 'taylor' else None
    pruner = Pruner(network, settings, measuring.size, gradients)
    clock = _Clock(pruner, measuring)
    pruned = pruner.prune(_ratio(pruner, target, clock))
    latency = clock.compare(pruned.network) if measuring.runs else None
    if latency is not None and target.latency_ms is not None:
        _check_faster(*latency)
    record = _record(pruner, pruned, target, latency)
    record |= {'config': str(config.filename), 'checkpoint': {'file': str(checkpoint), 'sha256': sha256(checkpoint)}}
    record['measuring'] = asdict(measuring)
    record['sparsity'] = sparsity_record(checkpoint)
    write_pruned(out_dir, config, pruned, record)
    return record


def sparsity_record(checkpoint: str | Path) -> dict[str, Any] | None:
    """Return the record of the sparsity training that lies beside a checkpoint, None where there is none.

    Raises:
        DataError: it is broken.
    """
    path = Path(checkpoint).parent / FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        return {'unit': content['unit'], 'layers': content['layers'], 'history': content['history']}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path}: is no record of a sparsity training ({error!r}); move it away') from error


def loss_gradients(network: nn.Module, config: Config, batches: int) -> dict[str, Tensor]:
    """Return the mean gradients of the task loss over some batches of the training data.

    Raises:
        ConfigError: the config has no training data, or no batch is asked for.
    """
    if batches < 1:
        raise ConfigError(f'{batches} batches: gradients need at least one')
    if not config.get('train_dataloader'):
        raise ConfigError(f'{config.filename}: importance taylor needs a train_dataloader')
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope(scope_of(config)):
        loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    source = _endless(loader)

    def loss(_: int) -> Tensor:
        batch = network.data_preprocessor(next(source), True)
        total: Tensor = network.parse_losses(network(**batch, mode='loss'))[0]
        return total

    return task_gradients(network, loss, batches)


def _endless(loader: Any) -> Iterator[Any]:
    """Yield batches of a loader, over and over."""
    while True:
        yield from loader


def _ratio(pruner: Pruner, target: Target, clock: _Clock) -> float:
    """Return the ratio that a target asks for."""
    if target.ratio is not None:
        return target.ratio
    if target.params is not None:
        return pruner.ratio_for_params(target.params).ratio
    if target.macs is not None:
        return pruner.ratio_for_macs(target.macs).ratio
    assert target.latency_ms is not None  # exactly one is given
    found = pruner.ratio_for_latency(clock.milliseconds, clock.milliseconds(pruner.network), target.latency_ms)
    logger.info('ratio %.3f takes %.2f ms', found.ratio, found.value)
    return found.ratio


class _Clock:
    """Times networks of one kind."""

    def __init__(self, pruner: Pruner, measuring: Measuring) -> None:
        self.open: Callable[[nn.Module], OnnxNetwork] = lambda network: OnnxNetwork(
            network, pruner.graph, measuring.size, threads=measuring.threads
        )
        self.dense, self.runs = pruner.network, measuring.runs

    def milliseconds(self, network: nn.Module) -> float:
        """Return the median of one network."""
        return measure_in_turns([self.open(network)], self.runs)[0].median_ms

    def compare(self, network: nn.Module) -> tuple[Latency, Latency]:
        """Time the dense and another network in turns."""
        dense, pruned = measure_in_turns([self.open(self.dense), self.open(network)], self.runs)
        return dense, pruned


def _check_faster(dense: Latency, pruned: Latency) -> None:
    """Raise unless a pruned network is faster than the dense one."""
    if pruned.median_ms >= dense.median_ms:
        raise ConfigError(
            f'the pruned network takes {pruned}, the dense one {dense}: refused, since it is not faster; '
            'something else may disturb the times, or the widths are ones that this processor is slow at'
        )


def _record(pruner: Pruner, pruned: Pruned, target: Target, latency: tuple[Latency, Latency] | None) -> dict[str, Any]:
    """Return what is known of a pruned network."""
    costs, plan = pruner.costs, pruned.plan
    return {
        'target': {name: value for name, value in asdict(target).items() if value is not None},
        'settings': asdict(pruner.settings),
        'ratio': pruned.ratio,
        'difference': pruned.difference,
        'folding': pruned.folding.to_json() if pruned.folding else None,
        'input_size': list(costs.size),
        'params': [costs.params(Plan()), costs.params(plan)],
        'macs': [costs.macs(Plan()), costs.macs(plan)],
        'latency': None if latency is None else {'dense': asdict(latency[0]), 'pruned': asdict(latency[1])},
        'cores': len(os.sched_getaffinity(0)),
        'layers': layer_rows(costs, plan),
        'left_whole': dict(pruner.left_whole()),
    }
