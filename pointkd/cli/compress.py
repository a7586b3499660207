"""`pointkd compress CONFIG CHECKPOINT --recipe FILE`: every stage from a dense network to a small exported one."""

from __future__ import annotations

import argparse

from pointkd.cli._config_options import add_config_arguments, read_config

HELP = 'sparsity training, pruning, fine-tuning, distillation, export and report by one recipe'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_config_arguments(parser)
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='weights of the dense network')
    parser.add_argument('--recipe', required=True, metavar='FILE', help='what to do (configs/yolov8/recipes/*.py)')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder of all stages; a stopped run goes on there')
    parser.add_argument('--input-size', type=int, nargs=2, metavar=('H', 'W'), help="default: the test pipeline's")


def run(args: argparse.Namespace) -> None:
    """Compress."""
    import pointkd.engine  # noqa: F401  (makes the installed packages ready)
    from pointkd.io.images import input_size
    from pointkd.report.compression.recipe import Recipe
    from pointkd.report.compression.run import compress

    recipe = Recipe.read(args.recipe)
    config = read_config(args)
    size = tuple(args.input_size) if args.input_size else recipe.pruned.input_size or input_size(config)
    report = compress(
        config, args.checkpoint, args.out, recipe, size=size, say=lambda line: print(f'stage: {line}', flush=True)
    )
    print(f'report: {report}')
