"""The labels of Cityscapes: ids, classes, categories, and the mean sizes of instances."""

from __future__ import annotations

import numpy as np

IDS = 34  # ids are 0..33

# Evaluated classes and their ids; a class's place is its train id.
CLASS_IDS = {
    'road': 7,
    'sidewalk': 8,
    'building': 11,
    'wall': 12,
    'fence': 13,
    'pole': 17,
    'traffic light': 19,
    'traffic sign': 20,
    'vegetation': 21,
    'terrain': 22,
    'sky': 23,
    'person': 24,
    'rider': 25,
    'car': 26,
    'truck': 27,
    'bus': 28,
    'train': 31,
    'motorcycle': 32,
    'bicycle': 33,
}
CLASSES = tuple(CLASS_IDS)
VOID = 255  # train id of all that is not evaluated

CATEGORIES = {
    'flat': ('road', 'sidewalk'),
    'construction': ('building', 'wall', 'fence'),
    'object': ('pole', 'traffic light', 'traffic sign'),
    'nature': ('vegetation', 'terrain'),
    'sky': ('sky',),
    'human': ('person', 'rider'),
    'vehicle': ('car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle'),
}

# Classes whose objects are labelled one by one, with the mean size of an object in pixels (1024 x 2048 images).
MEAN_SIZES = {
    'person': 3462.4756337644,
    'rider': 3930.4788056518,
    'car': 12794.0202738185,
    'truck': 27855.1264367816,
    'bus': 35732.1511111111,
    'train': 67583.7075812274,
    'motorcycle': 6298.7200839748,
    'bicycle': 4672.3249222261,
}
INSTANCE_CLASSES = tuple(MEAN_SIZES)
FIRST_INSTANCE = 1001  # in an instance image: class id * 1000 + number; what is not greater than 1000 is no instance
IDS_A_CLASS = 1000
# All ids of the categories that hold nothing but objects: vehicle counts caravan (29) and trailer (30) as right.
INSTANCE_CATEGORIES = {'human': (24, 25), 'vehicle': (26, 27, 28, 29, 30, 31, 32, 33)}


def train_id_table() -> np.ndarray:
    """Return (256,) uint8: the train id of each id, VOID where it is not evaluated."""
    table = np.full(256, VOID, np.uint8)
    for train_id, own in enumerate(CLASS_IDS.values()):
        table[own] = train_id
    return table


def instance_category_table() -> np.ndarray:
    """Return (34,) int64: for each id its place in INSTANCE_CATEGORIES, -1 where it has none."""
    table = np.full(IDS, -1)
    for place, ids in enumerate(INSTANCE_CATEGORIES.values()):
        table[list(ids)] = place
    return table


TRAIN_IDS = train_id_table()
CATEGORY_OF_ID = instance_category_table()
EVALUATED = np.array(list(CLASS_IDS.values()))  # ids by train id
