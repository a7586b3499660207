"""`pointkd export`: a trained net as ONNX, with a proof that its boxes, outputs or labels are the same."""

from __future__ import annotations

import argparse

HELP = 'export a trained net to ONNX or TensorRT, and prove that it gives the same boxes or labels'


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
        '--image-size', type=int, nargs=2, metavar=('H', 'W'), help="image detectors: default the test pipeline's"
    )


def run(args: argparse.Namespace) -> None:
    """Export, and say how near the boxes, outputs or labels are."""
    import pointkd.engine  # noqa: F401  (prepares the packages)
    from pointkd.export.exporter import export

    size = tuple(args.image_size) if args.image_size else None
    parity = export(
        args.config, args.checkpoint, args.out, target=args.to, verify_data=args.verify_data, image_size=size
    )
    print(f'{args.out}: {parity}')
