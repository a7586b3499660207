import numpy as np
import pytest

from pointkd.datasets.synthetic_aerial.classes import CLASSES
from pointkd.datasets.synthetic_aerial.measure import (
    COUNT_LEVELS,
    LEVELS,
    Labels,
    count_table,
    describe,
    relative_sizes,
    scales,
    spacing,
    uprightness,
)


def labels(*rows):
    """Rows of x, y, w, h, category, truncation, occlusion."""
    table = np.array(rows, dtype=float).reshape(-1, 7)
    return Labels(table[:, :4], *(table[:, column].astype(int) for column in (4, 5, 6)))


CARS_AND_PERSONS = labels(
    (0.0, 0.0, 0.2, 0.2, 4, 1, 0),
    (0.4, 0.0, 0.2, 0.2, 4, 0, 1),
    (0.5, 0.5, 0.05, 0.2, 1, 0, 2),
    (0.7, 0.5, 0.05, 0.2, 1, 0, 0),
    (0.8, 0.5, 0.1, 0.1, 1, 0, 0),
    (0.0, 0.8, 0.3, 0.2, 0, 0, 0),
    (0.6, 0.8, 0.1, 0.1, 11, 0, 0),
)


def test_counts_leave_out_regions_and_others():
    table = count_table([CARS_AND_PERSONS, labels()])
    assert table.shape == (2, 10)
    assert table[0].tolist() == [3, 0, 0, 2, 0, 0, 0, 0, 0, 0]
    assert not table[1].any()


def test_sizes_are_told_in_cars():
    relative = relative_sizes([CARS_AND_PERSONS])
    assert relative['pedestrian'] == pytest.approx(0.5)
    assert relative['car'] == relative['bus'] == 1.0
    persons = labels((0, 0, 0.1, 0.1, 1, 0, 0))
    assert scales([CARS_AND_PERSONS, persons], relative) == pytest.approx([0.2, 0.2])
    assert np.isnan(scales([labels()], relative)).all()


def test_uprightness_asks_for_three_whole_pedestrians():
    assert uprightness([CARS_AND_PERSONS]) == pytest.approx([4.0])
    cut = labels(*[(0, 0, 0.1, 0.2, 1, int(n == 0), 0) for n in range(3)])
    assert len(uprightness([cut, labels()])) == 0


def test_spacing_is_measured_in_own_sizes():
    assert spacing([CARS_AND_PERSONS], ['car']) == pytest.approx([2.0, 2.0])
    assert len(spacing([CARS_AND_PERSONS], ['bus'])) == 0


def test_the_description():
    found = describe([CARS_AND_PERSONS, labels((0, 0, 0.4, 0.1, 4, 0, 0))])
    assert found['images'] == 2
    assert found['objects'] == 6
    assert found['class_share']['car'] == 0.5
    assert found['present']['pedestrian'] == 0.5
    assert found['counts']['car'] == pytest.approx(np.quantile([2, 1], COUNT_LEVELS), abs=1e-3)
    assert found['total'] == pytest.approx(np.quantile([5, 1], COUNT_LEVELS), abs=1e-3)
    assert found['together']['car'][CLASSES.index('pedestrian')] == 0.5
    assert found['together']['pedestrian'][CLASSES.index('car')] == 1.0
    assert found['aspect']['car'] == pytest.approx(np.quantile([1, 1, 4], LEVELS), abs=1e-3)
    assert found['occlusion']['pedestrian'] == [0.667, 0.0, 0.333]
    assert found['truncation']['car'] == 0.333
    assert found['ignored'] == 0.5


def test_nothing_is_described_as_nothing():
    for images in ([], [labels()]):
        found = describe(images)
        assert found['objects'] == 0
        assert found['scale'] == found['size']['car'] == found['spacing']['persons'] == []
        assert found['class_share']['car'] == 0.0
        assert found['ignored'] == 0.0
