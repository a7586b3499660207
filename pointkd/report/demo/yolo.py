"""`pointkd demo yolo`: a YOLOv8 on generated aerial images, from data to a pruned, distilled, exported net."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pointkd.core.files import write_text
from pointkd.report.demo.progress import Timeline, minutes
from pointkd.report.demo.settings import checkout_file
from pointkd.report.demo.steps import command

SIDE = 256  # pixels of the square images
HELD_OUT = 5  # one image of evaluation for so many to train on
# Seconds of each step on two cores at the default size; only their proportions matter, for the time left.
NOMINAL: dict[str, float] = {'data': 30, 'dense': 200, 'compress': 330}


@dataclass(frozen=True)
class YoloSettings:
    """Size of the demo.

    Attributes:
        folder: where everything goes.
        images: aerial images to train on.
        iterations: training steps of the dense network; each later stage takes half of them.
        seed: of data and order.
    """

    folder: Path
    images: int = 400
    iterations: int = 200
    seed: int = 0

    @property
    def data(self) -> Path:
        """Folder of the images, in VisDrone layout."""
        return self.folder / 'data'

    @property
    def dense(self) -> Path:
        """Folder of the dense network's training."""
        return self.folder / 'dense'

    @property
    def recipe(self) -> Path:
        """The recipe with this demo's number of steps."""
        return self.folder / 'recipe.py'

    @property
    def compressed(self) -> Path:
        """Folder of all stages of the compression."""
        return self.folder / 'compressed'


def run_yolo_demo(settings: YoloSettings, say: Callable[[str], None]) -> Path:
    """Make images, train a dense network, compress it by the demo's recipe.

    Stages of the compression that are done are kept when the demo runs again in the same folder.

    Args:
        settings: what and where.
        say: prints a line of progress.

    Returns:
        The report.

    Raises:
        PointKDError: from the step that failed; what earlier steps made stays.
    """
    timeline = Timeline(NOMINAL, say)
    with timeline.step('data', f'{settings.images} aerial images of small objects'):
        make_images(settings)
    with timeline.step('dense', f'the dense network: {settings.iterations} iterations'):
        train_dense(settings)
    with timeline.step('compress', 'sparsity, pruning, fine-tuning, distillation, export'):
        write_recipe(settings)
        config, weights = settings.dense / 'config.py', settings.dense / 'last.pth'
        command('compress', config, weights, '--recipe', settings.recipe, '--out', settings.compressed)
    report = settings.compressed / 'report.html'
    say(f'done in {minutes(timeline.elapsed)}: {report}')
    return report


def make_images(settings: YoloSettings) -> None:
    """Make the images that are missing, and the COCO files that training reads."""
    held_out = str(max(1, settings.images // HELD_OUT))
    words = ['--images', str(settings.images), '--val', held_out, '--test', '1']
    words += ['--seed', str(settings.seed), '--size', str(SIDE)]
    command('create-data', 'synthetic-aerial', *words, '--out', settings.data)
    command('create-data', 'visdrone', '--root', settings.data)


def train_dense(settings: YoloSettings) -> None:
    """Train the network that is compressed, from where an earlier demo in this folder left it."""
    words: list[str | Path] = ['--work-dir', settings.dense, '--data-root', settings.data, '--seed', str(settings.seed)]
    words += ['--resume'] if (settings.dense / 'last.pth').is_file() else []
    config = checkout_file('configs/yolov8/yolov8_n_synthetic-aerial.py')
    command('train', config, *words, '--cfg-options', *schedule(settings.iterations))


def write_recipe(settings: YoloSettings) -> None:
    """Write the demo's recipe with this number of steps."""
    steps = schedule(max(1, settings.iterations // 2))
    lines = [f'_base_ = [{str(checkout_file("configs/yolov8/recipes/demo.py"))!r}]']
    lines += [f'{stage} = dict(options={steps!r})' for stage in ('sparse', 'fine_tuned', 'distilled')]
    write_text(settings.recipe, '\n'.join(lines) + '\n')


def schedule(iterations: int) -> list[str]:
    """Return the changes that give a config of the short schedule a number of steps."""
    keys = ('train_cfg.max_iters', 'train_cfg.val_interval', 'param_scheduler.0.total_steps')
    return [f'{key}={iterations}' for key in keys]
