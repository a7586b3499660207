"""Reads every constant that a runtime needs from a built segmentation net and its config."""

from __future__ import annotations

import colorsys
from typing import Any

from mmengine.config import Config
from torch import nn

from pointkd.core.errors import ConfigError, ExportError
from pointkd.io.metainfo import read_labels
from pointkd.runtime.segmentation import ImageRule, SizeProfile, Windows

# Steps of a test pipeline that leave the pixels as they are.
HARMLESS = ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs', 'Resize')
DEFAULT_SIZE = (1024, 512)  # width and height of the engine's images where no rule names a size
GOLDEN_RATIO = 0.618033988749895


def describe_labels(model: nn.Module, config: Config) -> tuple[tuple[str, ...], tuple[tuple[int, int, int], ...]]:
    """Return class names and colours by label; colours are made up where the data set has none.

    Raises:
        ConfigError: the config names no classes, or others than the head has.
    """
    labels = read_labels(config)
    count = int(model.decode_head.num_classes)
    if labels.classes is None:
        raise ConfigError(f'{config.filename}: no class names; set metainfo=dict(classes=[...]) in the data set')
    if len(labels.classes) != count:
        raise ConfigError(f'the config names {len(labels.classes)} classes, the head has {count}')
    return labels.classes, labels.palette or made_up_palette(count)


def made_up_palette(count: int) -> tuple[tuple[int, int, int], ...]:
    """Return so many colours that differ well from their neighbours."""
    hues = [(number * GOLDEN_RATIO) % 1 for number in range(count)]
    colours = [colorsys.hsv_to_rgb(hue, 0.65 + 0.3 * (number % 2), 0.95) for number, hue in enumerate(hues)]
    return tuple((round(r * 255), round(g * 255), round(b * 255)) for r, g, b in colours)


def describe_image(model: nn.Module, config: Config) -> ImageRule:
    """Return how the test pipeline and the data preprocessor of a config prepare an image.

    Raises:
        ExportError: there is a step that the runtime does not know.
    """
    preprocessor = model.data_preprocessor
    if not hasattr(preprocessor, 'seg_pad_val'):
        raise ExportError(f'data_preprocessor is {type(preprocessor).__name__}, expected SegDataPreProcessor')
    normalised = bool(preprocessor._enable_normalize)
    padding = dict(preprocessor.test_cfg or {})
    if padding.get('size') is not None:
        raise ExportError('data_preprocessor.test_cfg.size pads every image to one size; use size_divisor')
    resize, keep_ratio = _resize_rule(config)
    mean, std = (preprocessor.mean, preprocessor.std) if normalised else (None, None)
    return ImageRule(
        mean=_three(mean, 0.0),
        std=_three(std, 1.0),
        channels='rgb' if preprocessor.channel_conversion else 'bgr',  # mmcv's loader gives BGR
        resize=resize,
        keep_ratio=keep_ratio,
        size_divisor=int(padding.get('size_divisor') or 1),
        pad_value=float(preprocessor.pad_val),
    )


def describe_windows(model: nn.Module) -> Windows | None:
    """Return the sliding windows of a net's test settings, None where it takes whole images."""
    test = model.test_cfg
    if test.get('mode', 'whole') != 'slide':
        return None
    (height, width), (down, right) = test.crop_size, test.stride
    return Windows((int(height), int(width)), (int(down), int(right)))


def describe_profile(rule: ImageRule, windows: Windows | None) -> SizeProfile:
    """Return the shapes an engine is built for: around the size of the test pipeline, or of a window."""
    width, height = rule.resize or DEFAULT_SIZE
    height, width = windows.crop if windows else (height, width)
    return SizeProfile((1, min(64, height), min(64, width)), (1, height, width), (1, height, width))


def _resize_rule(config: Config) -> tuple[tuple[int, int] | None, bool]:
    """Return the width and height that the test pipeline resizes to, and whether it keeps the ratio of the sides."""
    pipeline = test_pipeline(config)
    unknown = [str(step.get('type')) for step in pipeline if str(step.get('type')).rpartition('.')[2] not in HARMLESS]
    if unknown:
        raise ExportError(
            f'the test pipeline has steps that the runtime does not know: {", ".join(unknown)}; it knows '
            f'{", ".join(HARMLESS)}'
        )
    steps = [step for step in pipeline if str(step.get('type')).rpartition('.')[2] == 'Resize']
    if not steps:
        return None, False
    scale = steps[0].get('scale')
    if len(steps) > 1 or not isinstance(scale, list | tuple) or len(scale) != 2:
        raise ExportError('the test pipeline must have one Resize with a scale of width and height, or none')
    return (int(scale[0]), int(scale[1])), bool(steps[0].get('keep_ratio', False))


def test_pipeline(config: Config) -> list[Any]:
    """Return the steps of the test data, [] where the config has none."""
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return list(dataset.get('pipeline') or config.get('test_pipeline') or [])


def _three(values: Any, default: float) -> tuple[float, float, float]:
    """Return a buffer of three numbers as a tuple, the same number three times where there is none."""
    if values is None:
        return default, default, default
    first, second, third = (float(value) for value in values.flatten().tolist())
    return first, second, third
