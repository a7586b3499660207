"""Initialisation from the teacher: the student starts from the teacher's weights cut to its widths."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

from torch import nn

from pointkd.core.errors import ConfigError, nearest
from pointkd.distill.methods._cutting import SELECTIONS, Plan, copy_weights, importance_of, select
from pointkd.distill.methods._provenance import trace
from pointkd.distill.methods.base import Contract, Method
from pointkd.distill.registry import METHODS

logger = logging.getLogger(__name__)


@METHODS.register_module()
class TeacherInit(Method):
    """Starts the student from the teacher's weights, cut to its widths; see docs/methods/teacher_init.md.

    Teacher and student must be the same network but for their widths. Of each set of channels that stand or fall
    together the student takes over as many as it has room for, and every later layer keeps the inputs that belong to
    them: behind a concatenation, a scatter, a sparse tensor made dense.

    Args:
        selection: which channels: `first`; `bn_scale`, the largest scale in the norm behind them; `l1`, the largest
            sum of absolute weights. They keep their order.

    Source: SparseKD (2205.15156), section 3.4, teacher-guided initialisation: its `FNAV2`, `BN_SCALE`, `OFA`.
    """

    contract = Contract()
    taps = False

    def __init__(self, *, selection: str = 'first') -> None:
        super().__init__()
        if selection not in SELECTIONS:
            raise ConfigError(f'selection: no choice {selection!r}: {nearest(selection, SELECTIONS)}')
        self.selection = selection

    def start(self, student: nn.Module, teacher: nn.Module, batch: Mapping[str, Any] | None = None) -> None:
        """Overwrite the student's weights and batch norm statistics.

        Args:
            student: changed in place.
            teacher: trained; left as it is.
            batch: small raw batch that reaches every layer; both networks run on it once.

        Raises:
            ConfigError: no batch, or networks that differ in more than their widths.
        """
        if batch is None:
            raise ConfigError('TeacherInit needs a batch to see how channels flow through the networks')

        def run(network: nn.Module) -> None:
            prepared = network.data_preprocessor(copy.deepcopy(batch), False)  # type: ignore[operator]
            network(prepared['inputs'], prepared.get('data_samples'), mode='tensor')

        plans = Plan.of(trace(student, run)), Plan.of(trace(teacher, run))
        chosen = select(*plans, importance_of(plans[1], teacher, self.selection))
        cut = copy_weights(student, teacher, plans, chosen)
        logger.info('teacher_init selection=%s tensors_cut=%d', self.selection, cut)
