"""`pointkd predict`: boxes of point clouds (KITTI text files, pictures from above), or masks of images."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointkd.cli._predict_masks import open_masks_config, open_masks_export, predict_masks
from pointkd.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np

    from pointkd.core.kitti import Calibration
    from pointkd.runtime.detections import Detections

    Predict = Callable[[np.ndarray], Detections]

HELP = "find objects in point clouds (KITTI text files, bird's-eye pictures), or segment images (masks)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('source', metavar='CONFIG_OR_EXPORT', help='config file, or a folder of `pointkd export`')
    parser.add_argument(
        'files', nargs='+', metavar='[CHECKPOINT] INPUT', help='with a config its weights first; then clouds or images'
    )
    parser.add_argument(
        '--out',
        required=True,
        metavar='DIR',
        help='folder to write: NAME.txt and NAME.png, or NAME_mask.png and NAME_overlay.png',
    )
    parser.add_argument(
        '--calib', metavar='PATH', help='calibration file, or folder of NAME.txt; default: axes turned, no 2D boxes'
    )
    parser.add_argument('--score', type=float, default=0.0, help='leave out boxes below this score')
    parser.add_argument('--columns', type=int, help='numbers a point has in the files (default: as the config loads)')
    parser.add_argument('--opacity', type=float, default=0.6, help='of the colours over an image (default 0.6)')
    parser.add_argument('--backend', default='onnxruntime', help='exports: onnxruntime (default) or openvino')
    parser.add_argument('--precision', default='f32', help='exports: f32 (default) or bf16')


def run(args: argparse.Namespace) -> None:
    """Predict each cloud or image, write its files, and print a line."""
    is_export = Path(args.source).is_dir()
    predict: Any
    if is_export:
        from pointkd.runtime.segmentation import is_segmentation

        masks = is_segmentation(args.source)
        predict, load, use = (open_masks_export(args), 0, []) if masks else open_export(args)
    else:
        predict, load, use = open_config(args)
        masks = not load
    files = [Path(name) for name in (args.files if is_export else args.files[1:])]
    check_inputs(files, 'image' if masks else 'point cloud')
    if masks:
        predict_masks(predict, files, args)
    else:
        predict_boxes(predict, files, args, args.columns or load, use)


def predict_boxes(predict: Predict, files: list[Path], args: argparse.Namespace, columns: int, use: list[int]) -> None:
    """Find the objects of each cloud.

    Args:
        predict: from points (N, C).
        files: point clouds.
        args: of `pointkd predict`.
        columns: numbers a point has in the files.
        use: which of them the net takes.
    """
    from pointkd.core.kitti import read_points, write_objects
    from pointkd.report.birdseye import BoxSet, draw_birdseye
    from pointkd.runtime.kitti import to_kitti

    out = Path(args.out)
    for file in files:
        points = read_points(file, columns)[:, use]
        found = predict(points).above(args.score)
        write_objects(out / f'{file.stem}.txt', to_kitti(found, calibration_of(args.calib, file.stem)))
        captions = [f'{name} {score:.2f}' for name, score in zip(found.names, found.scores, strict=True)]
        draw_birdseye(out / f'{file.stem}.png', points, [BoxSet('found', found.boxes, captions)], title=file.stem)
        dropped = f', {found.invalid_points} points with NaN dropped' if found.invalid_points else ''
        print(f'{file}: {len(found)} objects{dropped} -> {out / file.stem}.txt, .png')


def open_export(args: argparse.Namespace) -> tuple[Predict, int, list[int]]:
    """Return the detector of an export, the columns of its files, and those that it takes."""
    from pointkd.runtime.detector import Detector

    detector = Detector(args.source, args.backend, args.precision)
    columns = detector.side_car.voxels.columns
    return detector.predict, columns, list(range(columns))


def open_config(args: argparse.Namespace) -> tuple[Any, int, list[int]]:
    """Return the net of a config, the columns of its files, and those that it takes; 0 and none if it takes images."""
    from pointkd.export.describe import point_columns
    from pointkd.export.eager import EagerDetector
    from pointkd.export.support import is_a
    from pointkd.io.build import build_model
    from pointkd.io.config import load_config

    if len(args.files) < 2:
        raise ConfigError(f'{args.source} is a config: give its checkpoint, then at least one point cloud or image')
    config = load_config(args.source, pretrained=False)
    model = build_model(config, args.files[0])
    if is_a(model, 'BaseSegmentor') and hasattr(model, 'decode_head'):
        return open_masks_config(model, config), 0, []
    return EagerDetector(model, config).predict, *point_columns(config)


def check_inputs(files: list[Path], kind: str) -> None:
    """Raise when an input is missing, or two would write the same files."""
    for file in files:
        if not file.is_file():
            raise DataError(f'{file}: no such {kind}')
    stems = [file.stem for file in files]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice:
        raise ConfigError(f'two inputs are called {twice}; their results would overwrite each other')


def calibration_of(path: str | None, stem: str) -> Calibration | None:
    """Read the calibration of a frame from a file, or from a folder by the frame's name."""
    from pointkd.core.kitti import read_calibration

    if path is None:
        return None
    return read_calibration(Path(path) / f'{stem}.txt' if Path(path).is_dir() else path)
