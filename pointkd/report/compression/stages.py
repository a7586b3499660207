"""The stages of a compression, each in a folder of its own, done once."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from pointkd.compress.files import CONFIG, WEIGHTS
from pointkd.compress.graphs import Flat, graph_of
from pointkd.compress.latency import OnnxNetwork, onnx_bytes
from pointkd.compress.pruning import PruneSettings
from pointkd.compress.run import Measuring, Target, prune_config
from pointkd.core.errors import ConfigError, ExportError
from pointkd.core.files import atomic_write, sha256, write_json
from pointkd.engine.evaluate import evaluate
from pointkd.engine.last_checkpoint import LAST
from pointkd.engine.train import train
from pointkd.export.detection import image_obstacle, is_image_config
from pointkd.export.exporter import export
from pointkd.export.support import is_a
from pointkd.io.build import build_model
from pointkd.io.config import load_config
from pointkd.io.options import apply_options
from pointkd.report.compression.recipe import Export, Pruning, Training

DONE = 'stage.json'
STOCK_CONSTRUCTOR = 'DefaultOptimWrapperConstructor'
TOLERANCE = 1e-3  # of raw maps in ONNX Runtime, in proportion where values exceed 1


def once(folder: Path, settings: Any, source: Path, work: Callable[[], Mapping[str, Any] | None]) -> dict[str, Any]:
    """Do a stage unless it has been done with the same settings from the same weights.

    Args:
        folder: of the stage; `stage.json` in it says that it is done.
        settings: of the stage, anything that JSON holds.
        source: weights that it starts from.
        work: does it; what it returns is kept.

    Returns:
        What the work returned, now or earlier.

    Raises:
        ConfigError: it was done, but otherwise.
    """
    text = json.dumps([settings, sha256(source)], sort_keys=True, default=list)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    marker = folder / DONE
    if marker.is_file():
        earlier = json.loads(marker.read_text(encoding='utf-8'))
        if earlier['fingerprint'] != fingerprint:
            raise ConfigError(
                f'{folder}: was made with other settings or from other weights; take another folder, or remove '
                'this one and those of the stages after it'
            )
        return dict(earlier['result'])
    result = dict(work() or {})
    write_json(marker, {'fingerprint': fingerprint, 'result': result})
    return result


def train_stage(config: Config, weights: Path, folder: Path, stage: Training) -> None:
    """Train a network from some weights; an interrupted training goes on.

    Args:
        config: of the network, with everything the stage adds but its options.
        weights: that it starts from.
        folder: of the run.
        stage: settings.
    """
    settings = copy.deepcopy(config)
    apply_options(settings._cfg_dict, stage.options)
    settings.load_from = str(weights.resolve())
    train(settings, folder, resume=(folder / LAST).is_file(), seed=stage.seed, amp=stage.amp)


def with_sparsity(config: Config, stage: Training) -> Config:
    """Return a config whose training penalises scales, free of weight decay."""
    sparse = copy.deepcopy(config)
    sparse.custom_hooks = [*(sparse.get('custom_hooks') or []), {'type': 'SparsityHook', **stage.hook}]
    if sparse.optim_wrapper.get('constructor', STOCK_CONSTRUCTOR) == STOCK_CONSTRUCTOR:  # others have their own rules
        paramwise = sparse.optim_wrapper.get('paramwise_cfg') or {}
        sparse.optim_wrapper.paramwise_cfg = {'norm_decay_mult': 0.0, **paramwise}
    return sparse


def with_teacher(config: Config, stage: Training, dense_config: Path, dense_weights: Path) -> Config:
    """Return a config that learns from the dense network."""
    taught = copy.deepcopy(config)
    teacher = {'config': str(dense_config.resolve()), 'checkpoint': str(dense_weights.resolve())}
    taught.distill = {'teacher': teacher, 'methods': [dict(method) for method in stage.methods]}
    return taught


def prune_stage(config: Config, weights: Path, folder: Path, stage: Pruning, size: tuple[int, int]) -> None:
    """Prune a network (see `prune_config`); `size` is the input's where the stage names none."""
    prune_config(
        config,
        weights,
        folder,
        target=Target(stage.ratio, stage.target_params, stage.target_macs, stage.target_latency),
        settings=PruneSettings(stage.importance, stage.scope, stage.multiple, stage.keep, stage.fold),
        measuring=Measuring(stage.input_size or size, stage.runs, stage.threads),
    )


def pruned_files(folder: Path) -> tuple[Config, Path]:
    """Return the config and the weights that pruning left."""
    return load_config(folder / CONFIG), folder / WEIGHTS


def export_stage(config: Config, weights: Path, folder: Path, stage: Export, size: tuple[int, int]) -> dict[str, Any]:
    """Export a network as `pointkd export` does; one that it can't take (two stages) as a graph of its raw maps.

    Returns:
        `largest_difference` of the raw maps, or what the parity gate of `pointkd export` measured.

    Raises:
        ExportError: ONNX Runtime gives other maps than torch.
    """
    network = build_model(config, weights)
    if is_image_config(config) and not image_obstacle(network):
        return export(config, weights, folder, verify_data=stage.verify_data, image_size=size).to_json()
    if is_a(network, 'VoxelNet') or is_a(network, 'BaseSegmentor'):
        return export(config, weights, folder, verify_data=stage.verify_data).to_json()
    graph = graph_of(network)
    inputs = graph.make_input(*size, 1)
    exported = OnnxNetwork(network, graph, size, timed=False).run(inputs.numpy())
    with torch.no_grad():
        ours = [values.numpy() for values in graph.outputs(network, inputs)]
    worst = max(
        float((np.abs(one - other) / np.maximum(np.abs(other), 1)).max())
        for one, other in zip(exported, ours, strict=True)
    )
    if not worst <= TOLERANCE:
        raise ExportError(f'ONNX Runtime gives other maps than torch: they differ by {worst:.2g}')
    with atomic_write(folder / 'model.onnx') as file:
        file.write(onnx_bytes(Flat(network, graph), inputs))
    return {'largest_difference': worst}


def metrics(config: Config, weights: Path, folder: Path) -> dict[str, float]:
    """Return the numbers that the config's metrics give a network, finite ones only."""
    values = {name: float(value) for name, value in evaluate(config, weights, work_dir=folder).items()}
    return {name: value for name, value in values.items() if np.isfinite(value)}
