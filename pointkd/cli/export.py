"""`pointkd export`: a trained PointPillars as ONNX, with a proof that its boxes are the same."""

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
        help="folder with *.bin clouds (or a KITTI root) to compare the boxes on; default 'synthetic', made-up clouds",
    )


def run(args: argparse.Namespace) -> None:
    """Export, and say how near the boxes are."""
    from pointkd.export.exporter import export

    parity = export(args.config, args.checkpoint, args.out, target=args.to, verify_data=args.verify_data)
    print(f'{args.out}: {parity.clouds} clouds, {parity.result}')
