"""The trained parts of distillation: seen by the optimiser and by DDP, absent from state dicts."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from pointkd.distill.term import DistillationTerm


class Adapters(nn.Module):
    """Holds the terms of a Distiller.

    Its parameters are trained like any other, but `state_dict()` of whatever contains it has no entry of it, and
    loading a state dict there neither misses nor changes them.

    Args:
        terms: the distillation terms.
    """

    def __init__(self, terms: Sequence[DistillationTerm]) -> None:
        super().__init__()
        self.entries = nn.ModuleList(terms)

    @property
    def terms(self) -> list[DistillationTerm]:
        """The distillation terms."""
        return list(self.entries)  # type: ignore[arg-type]

    def state_dict(self, *args: Any, destination: Any = None, **kwargs: Any) -> Any:
        """Return what was collected so far, unchanged."""
        return {} if destination is None else destination

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        """Let a parent's strict load find our own present values, so that nothing is missing and nothing changes."""
        state_dict.update(super().state_dict(prefix=prefix))

    @contextmanager
    def hidden(self, modules: MutableMapping[str, nn.Module | None]) -> Iterator[None]:
        """Take the adapters out of their parent's table for a block (the student initialises itself alone)."""
        name = next(name for name, module in modules.items() if module is self)
        del modules[name]
        try:
            yield
        finally:
            modules[name] = self
