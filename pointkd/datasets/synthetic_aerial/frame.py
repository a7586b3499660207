"""One image, from its seed to its two files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pointkd.core.errors import DataError
from pointkd.core.files import atomic_write, write_text
from pointkd.core.seeds import derive_seed
from pointkd.datasets.synthetic_aerial.camera import aim
from pointkd.datasets.synthetic_aerial.labels import Row, label
from pointkd.datasets.synthetic_aerial.plan import random_plan
from pointkd.datasets.synthetic_aerial.render import render
from pointkd.datasets.synthetic_aerial.scene import random_scene
from pointkd.datasets.synthetic_aerial.settings import AerialSettings
from pointkd.datasets.synthetic_aerial.statistics import load, wanted

QUALITY = (72, 97)  # of the JPEG file
FOLDERS = {'train': 'VisDrone2019-DET-train', 'val': 'VisDrone2019-DET-val', 'test': 'VisDrone2019-DET-test-dev'}


@dataclass(frozen=True)
class Frame:
    """An image of a split by its number."""

    split: str
    number: int

    def name(self) -> str:
        """Return the stem of the files' names, `train_0000012`: no two splits share one."""
        return f'{self.split}_{self.number:07d}'

    def image(self, root: Path) -> Path:
        """Return the path of the image."""
        return root / FOLDERS[self.split] / 'images' / f'{self.name()}.jpg'

    def annotation(self, root: Path) -> Path:
        """Return the path of the annotation."""
        return root / FOLDERS[self.split] / 'annotations' / f'{self.name()}.txt'

    def is_made(self, root: Path) -> bool:
        """Return whether both files are there (each is written whole or not at all, the annotation last)."""
        return self.annotation(root).is_file() and self.image(root).is_file()


def make_picture(settings: AerialSettings, frame: Frame) -> tuple[np.ndarray, list[Row], int]:
    """Return an image (size, size, 3) uint8 red green blue, its annotation and the quality of its file.

    The result depends on the seed, the size, the split and the number only.
    """
    seed = derive_seed(settings.seed, 'synthetic-aerial', frame.split, frame.number)
    wish, place, light = (np.random.default_rng([seed, part]) for part in range(3))
    statistics = load()
    target = wanted(statistics, wish)
    camera = aim(settings.size, target.scale, target.upright, place)
    plan = random_plan(place, camera, target)
    scene = random_scene(place, camera, plan, target, statistics.occlusion)
    image, drawn, seen = render(light, scene)
    return image, label(scene.items, drawn, seen), int(light.integers(*QUALITY))


def make_frame(root: Path, settings: AerialSettings, frame: Frame) -> None:
    """Make an image and write its files, the annotation last."""
    cv2.setNumThreads(1)  # the processes share the processors
    image, rows, quality = make_picture(settings, frame)
    _, content = cv2.imencode('.jpg', np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    with atomic_write(frame.image(root)) as file:
        file.write(bytes(content))
    write_text(frame.annotation(root), ''.join(f'{row.text()}\n' for row in rows))


def read_rows(path: Path) -> list[Row]:
    """Read an annotation file of the generator again.

    Raises:
        DataError: a line has another form.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), start=1):
        try:
            x, y, width, height, _, category, truncation, occlusion = map(int, line.split(','))
        except ValueError as error:
            raise DataError(f'{path}, line {number}: expected eight whole numbers, got {line!r}; delete it') from error
        rows.append(Row((x, y, width, height), category, truncation, occlusion))
    return rows
