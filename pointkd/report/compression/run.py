"""`pointkd compress`: sparsity, pruning, fine-tuning, distillation, export, report; each stage is done once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mmengine.config import Config

from pointkd.core.errors import ConfigError
from pointkd.core.files import sha256, write_json, write_text
from pointkd.engine.last_checkpoint import LAST
from pointkd.report.compression import stages
from pointkd.report.compression.page import ACCURACY, write_report
from pointkd.report.compression.recipe import Recipe, Training

DENSE_CONFIG = 'dense.py'


@dataclass
class Compression:
    """A compression on its way.

    Attributes:
        config: of the dense network.
        checkpoint: its weights.
        folder: with a folder for each stage, and the report.
        recipe: what to do.
        size: height, width of the input.
        say: takes a line for the user.
        accuracy: metrics by stage, as far as measured.
    """

    config: Config
    checkpoint: Path
    folder: Path
    recipe: Recipe
    size: tuple[int, int]
    say: Callable[[str], None]
    accuracy: dict[str, dict[str, float]] = field(default_factory=dict)

    def run(self) -> Path:
        """Do what has not been done yet, and return the report.

        Raises:
            ConfigError: a stage was done with other settings, or one can't be done with this config.
        """
        recipe, weights = self.recipe, self.checkpoint
        self.measure('dense', self.config, weights)
        if recipe.sparse is not None:
            config = stages.with_sparsity(self.config, recipe.sparse)
            weights = self.train('sparse', config, weights, recipe.sparse)
            self.measure('sparse', self.config, weights)
        pruned = self.folder / 'pruned'
        self.say('pruned')
        stages.once(
            pruned,
            asdict(recipe.pruned),
            weights,
            lambda: stages.prune_stage(self.config, weights, pruned, recipe.pruned, self.size),
        )
        config, start = stages.pruned_files(pruned)
        self.measure('pruned', config, start)
        last = start
        if recipe.fine_tuned is not None:
            last = self.train('fine-tuned', config, start, recipe.fine_tuned)
            self.measure('fine-tuned', config, last)
        if recipe.distilled is not None:
            taught = stages.with_teacher(config, recipe.distilled, self.dense_config(), self.checkpoint)
            last = self.train('distilled', taught, start, recipe.distilled)
            self.measure('distilled', config, last)
        self.export(config, last)
        return self.report()

    def train(self, name: str, config: Config, weights: Path, stage: Training) -> Path:
        """Train a stage and return its weights."""
        folder = self.folder / name
        self.say(name)
        stages.once(folder, asdict(stage), weights, lambda: stages.train_stage(config, weights, folder, stage))
        return folder / LAST

    def measure(self, name: str, config: Config, weights: Path) -> None:
        """Evaluate a network."""
        if not self.recipe.evaluate:
            return
        folder = self.folder / 'accuracy' / name
        self.accuracy[name] = stages.once(folder, name, weights, lambda: stages.metrics(config, weights, folder))

    def export(self, config: Config, weights: Path) -> None:
        """Export the last network."""
        stage = self.recipe.export
        if stage is not None:
            self.say('export')
            folder = self.folder / 'export'
            work = lambda: stages.export_stage(config, weights, folder, stage, self.size)  # noqa: E731
            stages.once(folder, asdict(stage), weights, work)

    def report(self) -> Path:
        """Write report.html from what all stages left."""
        pruned = self.folder / 'pruned'
        if self.accuracy:
            write_json(pruned / ACCURACY, self.accuracy)
        return write_report(pruned, self.folder / 'report.html')

    def dense_config(self) -> Path:
        """Write the resolved config of the dense network, which the teacher is built from."""
        path = self.folder / DENSE_CONFIG
        write_text(path, self.config.pretty_text)
        return path


def compress(
    config: Config,
    checkpoint: str | Path,
    folder: str | Path,
    recipe: Recipe,
    *,
    size: tuple[int, int],
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Compress a trained network by a recipe.

    Each stage leaves a folder; a run that was stopped goes on where it was, a training in the middle of it.

    Args:
        config: of the dense network.
        checkpoint: its weights.
        folder: where everything goes.
        recipe: what to do.
        size: height, width of the input, where the network does not fix it.
        say: takes a line for the user.

    Returns:
        The report.

    Raises:
        ConfigError: the checkpoint is missing, or a stage was done with other settings.
    """
    weights, out = Path(checkpoint), Path(folder)
    if not weights.is_file():
        raise ConfigError(f'{weights}: no such checkpoint')
    stages.once(out / 'start', config.pretty_text, weights, lambda: {'sha256': sha256(weights)})
    return Compression(config, weights, out, recipe, size, say).run()
