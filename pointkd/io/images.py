"""What a config says about the images its net sees."""

from __future__ import annotations

from mmengine.config import Config

from pointkd.core.errors import ConfigError
from pointkd.io.build import model_config

RESIZING = ('Resize', 'Letterbox')  # pipeline steps that say how large an image becomes


def resized_to(config: Config) -> tuple[int, int]:
    """Return height and width of the image that a config's test pipeline makes.

    Raises:
        ConfigError: the pipeline does not say.
    """
    pipeline = config.get('test_pipeline') or []
    for step in pipeline:
        scale = step.get('scale') or step.get('img_scale')
        if step.get('type') in RESIZING and isinstance(scale, list | tuple) and len(scale) == 2:
            return int(scale[1]), int(scale[0])
    raise ConfigError(f'{config.filename}: no Resize with a scale in test_pipeline; give the image size')


def input_size(config: Config) -> tuple[int, int]:
    """Return height and width of what a config's net is given: its images, up to the multiple that they are padded to.

    Returns:
        (0, 0) for a net of point clouds: its canvas has a size of its own.

    Raises:
        ConfigError: the pipeline does not say, and the network takes images.
    """
    preprocessor = model_config(config).get('data_preprocessor') or {}
    if 'Det3D' in str(preprocessor.get('type')):
        return 0, 0
    size = resized_to(config)
    divisor = int(preprocessor.get('pad_size_divisor', 1))
    return -(-size[0] // divisor) * divisor, -(-size[1] // divisor) * divisor
