"""Channels-last weights for float32 trainings, where a suite asks for them."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook

from pointkd.engine.precision import use_channels_last


class ChannelsLastHook(Hook):
    """Lays the network's dense convolutions, and its teacher's, out channels-last before a run."""

    def before_run(self, runner: Any) -> None:
        """Change the layout in place."""
        network = runner.network
        use_channels_last(network)
        teacher = getattr(network, 'teacher', None)
        if teacher is not None:
            use_channels_last(teacher.network)
