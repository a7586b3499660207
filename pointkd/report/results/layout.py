"""Channels-last weights for float32 trainings, where a suite asks for them."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from torch import nn

from pointkd.core.errors import TrainingError
from pointkd.engine.precision import use_channels_last

FEWEST = 16  # input channels that oneDNN's backward pass of a strided 1x1 convolution survives in float32


class ChannelsLastHook(Hook):
    """Lays the network's dense convolutions, and its teacher's, out channels-last before a run."""

    def before_run(self, runner: Any) -> None:
        """Change the layout in place.

        Raises:
            TrainingError: torch would end with a segmentation fault in the backward pass.
        """
        network = runner.network
        name = crashing(network)
        if name is not None:
            raise TrainingError(
                f'{name}: the backward pass of a strided 1x1 convolution of fewer than {FEWEST} channels crashes in '
                "float32 with channels-last maps on a CPU; set memory_format='contiguous' in the suite's numerics"
            )
        use_channels_last(network)
        teacher = getattr(network, 'teacher', None)
        if teacher is not None:
            use_channels_last(teacher.network)


def crashing(network: nn.Module) -> str | None:
    """Return the name of a convolution that crashes when trained channels-last in float32, None where all is well."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and module.weight.device.type == 'cpu':
            strided = tuple(module.kernel_size) == (1, 1) and max(module.stride) > 1
            if strided and module.groups == 1 and module.in_channels < FEWEST:
                return name
    return None
