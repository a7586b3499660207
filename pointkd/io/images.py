"""What a config says about the images its net sees."""

from __future__ import annotations

from mmengine.config import Config

from pointkd.core.errors import ConfigError

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
