"""Pictures of a suite of segmentation nets: image, truth, each row's mask and its errors at edges. Never committed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pointkd.core.errors import ConfigError
from pointkd.core.files import atomic_write
from pointkd.core.label_images import read_label_image
from pointkd.io.build import build_model
from pointkd.io.config import load_config
from pointkd.report.edges import edge_errors
from pointkd.report.page import Page
from pointkd.report.results.data import prepare
from pointkd.report.results.jobs import Job, arm_job, teacher_job
from pointkd.report.results.parts import IMAGES, TEACHER, Dataset
from pointkd.report.results.places import Places
from pointkd.report.results.runs import network_config
from pointkd.report.results.stages import WEIGHTS
from pointkd.report.results.suite import Suite
from pointkd.runtime.images import read_image

SEED = 0
FRAMES = 3
VOID_COLOUR = (0, 0, 0)
CAPTION = 24  # pixels above a tile


@dataclass(frozen=True)
class Tile:
    """A part of a picture.

    Attributes:
        title: above it.
        pixels: (H, W, 3) uint8, RGB.
    """

    title: str
    pixels: np.ndarray


def write_pictures(
    suite: Suite,
    places: Places,
    dataset: Dataset,
    rows: Sequence[str],
    given: Mapping[str, Path],
    say: Callable[[str], None],
) -> Path:
    """Draw some test frames as the rows' runs of seed 0 see them, and write a report.

    Args:
        suite: the suite.
        places: its files.
        dataset: of segmentation nets.
        rows: names of rows; `teacher` is one.
        given: folders of the user's data, by data set.
        say: prints a line.

    Returns:
        The report, in the work folder.

    Raises:
        ConfigError: another kind of data set, or a row whose run is not in the work folder.
    """
    if dataset.kind != IMAGES:
        raise ConfigError(f'data set {dataset.name!r}: pictures are of segmentation nets')
    import pointkd.engine  # noqa: F401  (prepares the packages)
    from pointkd.export.segmentation_eager import EagerSegmenter

    data = prepare(places, dataset, given, say)
    jobs = {name: _job(suite, dataset, name) for name in rows}
    nets: dict[str, Any] = {}
    frames: list[tuple[Path, Path]] = []
    for name, job in jobs.items():
        folder = places.run(dataset.name, name, SEED)
        weights = places.home / str(job.weights) if name == TEACHER else folder / WEIGHTS
        if not weights.is_file():
            raise ConfigError(f'row {name!r}: {weights} is missing: pictures need the weights of its seed {SEED}')
        config = load_config(network_config(job, folder, places.home, data), data_root=str(data), pretrained=False)
        nets[name] = EagerSegmenter(build_model(config, weights).eval(), config)
        frames = frames or _frames(config)
    titles = {arm.name: arm.title for arm in suite.arms_of(dataset)}
    page = Page(f'{dataset.title}: what the nets see', 'Green: right near a true border, red: wrong there. Seed 0.')
    for image_path, label_path in frames:
        tiles = _tiles(image_path, label_path, {titles.get(name, name): net for name, net in nets.items()})
        path = places.work / dataset.name / 'pictures' / f'{image_path.stem}.png'
        _draw(path, tiles)
        page.picture(path, image_path.stem)
        say(f'{path}')
    report = places.work / dataset.name / 'pictures.html'
    page.write(report)
    return report


def _job(suite: Suite, dataset: Dataset, name: str) -> Job:
    """Return the job of a row's first seed, or of the teacher."""
    if name == TEACHER:
        if dataset.teacher is None:
            raise ConfigError(f'data set {dataset.name!r} has no teacher')
        return teacher_job(suite, dataset, dataset.teacher)
    return arm_job(suite, dataset, suite.arm(name), SEED)


def _frames(config: Any) -> list[tuple[Path, Path]]:
    """Return image and label of some test frames, spread over the list."""
    from mmengine.registry import DATASETS, DefaultScope

    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmseg')):
        frames = DATASETS.build(config.test_dataloader.dataset)
    places = np.linspace(0, len(frames) - 1, FRAMES + 2).astype(int)[1:-1]
    entries = [frames.get_data_info(int(place)) for place in places]
    return [(Path(entry['img_path']), Path(entry['seg_map_path'])) for entry in entries]


def _tiles(image_path: Path, label_path: Path, nets: dict[str, Any]) -> list[Tile]:
    """Return image and truth, then mask and errors of each net."""
    image, truth = read_image(image_path), read_label_image(label_path)
    found = [Tile('image', image)]
    for title, net in nets.items():
        mask = net.predict(image)
        colours = np.full((256, 3), VOID_COLOUR, dtype=np.uint8)
        colours[: len(mask.palette)] = mask.palette
        if len(found) == 1:
            found.append(Tile('truth', colours[truth]))
        found += [Tile(title, colours[mask.labels]), Tile('errors at edges', edge_errors(image, truth, mask.labels))]
    return found


def _draw(path: Path, tiles: Sequence[Tile]) -> None:
    """Write tiles in two columns."""
    from PIL import Image, ImageDraw

    height, width = tiles[0].pixels.shape[:2]
    lines = -(-len(tiles) // 2)
    picture = Image.new('RGB', (2 * width, lines * (height + CAPTION)), (255, 255, 255))
    pen = ImageDraw.Draw(picture)
    for number, tile in enumerate(tiles):
        x, y = number % 2 * width, number // 2 * (height + CAPTION)
        pen.text((x + 6, y + 6), tile.title, fill=(20, 20, 20))
        picture.paste(Image.fromarray(tile.pixels), (x, y + CAPTION))
    with atomic_write(path) as file:
        picture.save(file, format='PNG')
