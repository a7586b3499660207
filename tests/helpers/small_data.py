"""Made-up data sets of a few small images, in the layouts of COCO and Cityscapes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np


def write_coco(root: Path, images: int = 3, size: tuple[int, int] = (48, 64)) -> Path:
    """Write `images` pictures with two boxes each as train2017 and val2017, all 80 categories named."""
    from mmdet.datasets import CocoDataset

    random = np.random.default_rng(0)
    categories = [{'id': number + 1, 'name': name} for number, name in enumerate(CocoDataset.METAINFO['classes'])]
    for split in ('train2017', 'val2017'):
        (root / split).mkdir(parents=True)
        entries, boxes = [], []
        for number in range(images):
            cv2.imwrite(str(root / split / f'{number}.jpg'), random.integers(0, 255, (*size, 3), dtype=np.uint8))
            entries.append({'id': number, 'file_name': f'{number}.jpg', 'height': size[0], 'width': size[1]})
            for box in ([4, 4, 36, 34], [20, 10, 40, 36]):
                boxes.append({'id': len(boxes) + 1, 'image_id': number, 'category_id': 1 + len(boxes), 'bbox': box})
                boxes[-1].update(area=box[2] * box[3], iscrowd=0)
        (root / 'annotations').mkdir(exist_ok=True)
        content = {'images': entries, 'annotations': boxes, 'categories': categories}
        (root / 'annotations' / f'instances_{split}.json').write_text(json.dumps(content), encoding='utf-8')
    return root


def write_cityscapes(root: Path, images: int = 3, size: tuple[int, int] = (48, 96)) -> Path:
    """Write `images` pictures with label maps as train and val."""
    random = np.random.default_rng(0)
    for split in ('train', 'val'):
        for number in range(images):
            name = f'town_{number:06d}_000019'
            picture, labels = root / 'leftImg8bit' / split / 'town', root / 'gtFine' / split / 'town'
            picture.mkdir(parents=True, exist_ok=True)
            labels.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 255, (*size, 3), dtype=np.uint8)
            classes = np.repeat(random.integers(0, 19, (size[0], size[1] // 16), dtype=np.uint8), 16, axis=1)
            cv2.imwrite(str(picture / f'{name}_leftImg8bit.png'), pixels)
            cv2.imwrite(str(labels / f'{name}_gtFine_labelTrainIds.png'), classes)
    return root


def write_camvid(root: Path, images: int = 2, size: tuple[int, int] = (48, 64)) -> Path:
    """Write `images` pictures a split with label maps 0..10 and 255, as `pointkd create-data camvid` lays them out."""
    random = np.random.default_rng(0)
    for split in ('train', 'val', 'test'):
        for number in range(images):
            pixels = random.integers(0, 255, (*size, 3), dtype=np.uint8)
            classes = np.repeat(random.integers(0, 12, (size[0], size[1] // 16), dtype=np.uint8), 16, axis=1)
            classes[classes == 11] = 255
            for folder, content in (('images', pixels), ('labels', classes)):
                (root / folder / split).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(root / folder / split / f'{number:04d}.png'), content)
    return root
