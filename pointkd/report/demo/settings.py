"""What the demo makes and where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pointkd
from pointkd.core.errors import ConfigError

CHECKOUT = Path(pointkd.__file__).resolve().parent.parent
NETS = ('teacher', 'student', 'distilled')
TITLES = {'teacher': 'teacher', 'student': 'student alone', 'distilled': 'distilled student'}


@dataclass(frozen=True)
class DemoSettings:
    """Size of the demo.

    Attributes:
        folder: where everything goes.
        scenes: street scenes, a quarter of them for evaluation.
        iterations: training steps of each student.
        teacher_iterations: training steps of the teacher, with `train_teacher`.
        seed: of data, weights and order.
        train_teacher: train the teacher too instead of taking the one in data/demo.
        amp: bf16; None lets a measurement on this processor decide.
    """

    folder: Path
    scenes: int = 240
    iterations: int = 1000
    teacher_iterations: int = 6000
    seed: int = 0
    train_teacher: bool = False
    amp: bool | None = None

    @property
    def data(self) -> Path:
        """KITTI folder of the scenes."""
        return self.folder / 'data'

    @property
    def export(self) -> Path:
        """Folder of the distilled student's export."""
        return self.folder / 'export'

    def net(self, name: str) -> Path:
        """Folder of one of the nets, with config.py and last.pth."""
        return self.folder / name

    def config(self, name: str) -> Path:
        """Config file that a net is trained from.

        Raises:
            ConfigError: pointkd was installed without its checkout.
        """
        return checkout_file(f'configs/demo/{name}.py')

    @property
    def teacher_weights(self) -> Path:
        """The teacher that comes with the checkout."""
        return CHECKOUT / 'data' / 'demo' / 'teacher.pth'

    def fresh_files(self) -> list[Path]:
        """Return what a new run replaces."""
        return [self.folder / 'report.html', self.folder / 'results.json']


def checkout_file(name: str) -> Path:
    """Return a file of the checkout.

    Raises:
        ConfigError: pointkd was installed without its checkout.
    """
    path = CHECKOUT / name
    if not path.is_file():
        raise ConfigError(f'{path} is missing: the demo runs from a checkout of pointkd, with its configs folder')
    return path
