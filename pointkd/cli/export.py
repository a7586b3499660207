"""`pointkd export`: a trained detector as ONNX, with a proof that its boxes or outputs are the same."""

from __future__ import annotations

import argparse

HELP = 'export a trained detector to ONNX or TensorRT, and prove that it gives the same boxes'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('config', help='config file of the detector')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--to', choices=('onnx', 'tensorrt'), default='onnx', help='default onnx')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write')
    parser.add_argument(
        '--verify-data',
        default='synthetic',
        metavar='DIR',
        help="folder with *.bin clouds (or a KITTI root) or images to compare on; default 'synthetic', made-up ones",
    )
    parser.add_argument(
        '--image-size', type=int, nargs=2, metavar=('H', 'W'), help="image nets: default the test pipeline's"
    )


def run(args: argparse.Namespace) -> None:
    """Export, and say how near the boxes or outputs are."""
    import pointkd.engine  # noqa: F401  (prepares the packages)
    from pointkd.core.errors import ConfigError
    from pointkd.export.exporter import export
    from pointkd.export.images import export_images, is_image_config
    from pointkd.io.config import load_config

    config = load_config(args.config, pretrained=False)
    if not is_image_config(config):
        if args.image_size:
            raise ConfigError('--image-size: only for image detectors')
        parity = export(config, args.checkpoint, args.out, target=args.to, verify_data=args.verify_data)
        print(f'{args.out}: {parity.clouds} clouds, {parity.result}')
        return
    if args.to != 'onnx':
        raise ConfigError('--to tensorrt: only for PointPillars so far; build the engine from the ONNX file')
    size = tuple(args.image_size) if args.image_size else None
    outputs = export_images(config, args.checkpoint, args.out, image_size=size, verify_data=args.verify_data)
    print(f'{args.out}: {outputs}')
