"""`pointkd predict` for segmentation nets: masks of images."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from pointkd.runtime.segmenter import Mask


def predict_masks(predict: Callable[[np.ndarray], Mask], files: list[Path], args: argparse.Namespace) -> None:
    """Segment each image, write its mask and overlay, and print a line.

    Args:
        predict: from an image (H, W, 3) uint8, RGB.
        files: images.
        args: of `pointkd predict`.
    """
    from pointkd.report.masks import draw_overlay, write_mask
    from pointkd.runtime.images import read_image

    out = Path(args.out)
    for file in files:
        image = read_image(file)
        mask = predict(image)
        write_mask(out / f'{file.stem}_mask.png', mask)
        draw_overlay(out / f'{file.stem}_overlay.png', image, mask, args.opacity)
        largest = ', '.join(f'{name} {share:.0%}' for name, share in list(mask.shares().items())[:3])
        print(f'{file}: {largest} -> {out / file.stem}_mask.png, _overlay.png')


def open_masks_export(args: argparse.Namespace) -> Callable[[np.ndarray], Mask]:
    """Return the segmentation net of an export."""
    from pointkd.runtime.segmenter import Segmenter

    return Segmenter(args.source, args.backend, args.precision).predict


def open_masks_config(model: Any, config: Any) -> Callable[[np.ndarray], Mask]:
    """Return the segmentation net of a config and a checkpoint."""
    from pointkd.export.segmentation_eager import EagerSegmenter

    return EagerSegmenter(model, config).predict
