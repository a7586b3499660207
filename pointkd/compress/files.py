"""What pruning leaves behind: a config that builds the cut network, its weights, the plan, and a record."""

from __future__ import annotations

import copy
import os
import tempfile
from pathlib import Path
from typing import Any

from mmengine.config import Config

from pointkd.compress.costs import Costs
from pointkd.compress.pruning import Pruned
from pointkd.core.files import write_json, write_text
from pointkd.io.build import model_config
from pointkd.io.checkpoints import save_checkpoint
from pointkd.io.hub import drop_hub
from pointkd.io.plan import Plan

CONFIG, WEIGHTS, PLAN, RECORD = 'pruned.py', 'pruned.pth', 'plan.json', 'prune.json'


def pruned_config(config: Config, plan: Plan, weights: Path | None = None) -> Config:
    """Return the config of a pruned network.

    It trains from the pruned weights and fetches nothing; a `distill` block is not taken over, since its taps and
    connectors belong to another network.

    Args:
        config: of the network that was pruned; it may have a plan already.
        plan: what pruning kept of it.
        weights: that training starts from.
    """
    cut = copy.deepcopy(config)
    model = model_config(cut)
    earlier = model.get('plan')
    model['plan'] = (plan if earlier is None else Plan.parse(earlier).then(plan)).to_config()
    drop_hub(cut._cfg_dict)
    cut._cfg_dict.pop('distill', None)
    if weights is not None:
        cut.load_from = str(weights.resolve())
    return cut


def write_pruned(folder: str | Path, config: Config, pruned: Pruned, record: dict[str, Any]) -> None:
    """Write `pruned.py`, `pruned.pth`, `plan.json` and `prune.json`; all of them, or none where one fails.

    Args:
        folder: where they go.
        config: of the network that was pruned.
        pruned: what came out.
        record: content of `prune.json`.
    """
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix='.prune-') as name:
        made = Path(name)
        earlier = model_config(config).get('plan')
        save_checkpoint(made / WEIGHTS, {'state_dict': pruned.network.state_dict()})
        write_text(made / CONFIG, pruned_config(config, pruned.plan, out / WEIGHTS).pretty_text)
        (pruned.plan if earlier is None else Plan.parse(earlier).then(pruned.plan)).write(made / PLAN)
        write_json(made / RECORD, record)
        for file in (WEIGHTS, PLAN, CONFIG, RECORD):  # the record last: it vouches for the others
            os.replace(made / file, out / file)


def layer_rows(costs: Costs, plan: Plan) -> list[dict[str, Any]]:
    """Return channels, parameters and multiply-adds of every convolution and linear layer, before and after."""
    rows = []
    for name, cost in costs.layers.items():
        if len(cost.channels) == 1:
            continue
        before, after = cost.channels, costs.widths(name, plan)
        rows.append(
            {
                'layer': name,
                'channels': [list(before), list(after)],
                'params': [cost.params(before), cost.params(after)],
                'macs': [cost.macs(before), cost.macs(after)],
            }
        )
    return rows
