"""The rules one by one, on a few rows each, with numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.kitti_sets import not_evaluated, row, write

from pointkd.core.errors import DataError
from pointkd.core.kitti import KittiObjects, read_objects
from pointkd.evaluation.kitti import Report, evaluate_folders, evaluate_frames

ONE_FOUND = 100 / 11  # AP11 of a class with one object, found perfectly: only the first recall position exists


def report_of(tmp_path: Path, labels: str, results: str, **settings: object) -> Report:
    return evaluate_folders(write(tmp_path / 'l', f0=labels), write(tmp_path / 'r', f0=results), **settings)


def first(report: Report, name: str = 'Car', metric: str = 'bbox', difficulty: int = 0) -> float:
    """AP11 of a class and metric."""
    return report[name][metric]['AP11'][difficulty]


def test_one_object_found(tmp_path: Path) -> None:
    report = report_of(tmp_path, row('Car'), row('Car', score=0.5))
    for metric in ('bbox', 'bev', '3d'):
        assert report['Car'][metric]['AP11'] == pytest.approx([ONE_FOUND] * 3)
        assert report['Car'][metric]['AP40'] == [0.0] * 3
    assert report['mAP']['bbox']['AP11'] == pytest.approx([ONE_FOUND / 3] * 3)


def test_hundred_where_there_are_enough_objects(tmp_path: Path) -> None:
    labels = ''.join(row('Car', at=x) for x in range(80))
    results = ''.join(row('Car', at=x, score=0.5 + x / 1000) for x in range(80))
    report = report_of(tmp_path, labels, results)
    for metric in ('bbox', 'bev', '3d', 'aos'):
        assert report['Car'][metric] == {'AP11': pytest.approx([100.0] * 3), 'AP40': pytest.approx([100.0] * 3)}


@pytest.mark.parametrize(
    ('column', 'value', 'unseen'),
    [
        ('x1', -5, ['bbox', 'aos']),
        ('x', -1000, ['bev', '3d']),
        ('z', -1000, ['bev', '3d']),
        ('y', -1000, ['3d']),
        ('h', -1, ['3d']),
        ('h', 0, ['3d']),
        ('w', 0, ['bev', '3d']),
        ('alpha', -10, ['aos']),
    ],
)
def test_what_is_evaluated(column: str, value: float, unseen: list[str], tmp_path: Path) -> None:
    report = report_of(tmp_path, row('Car'), row('Car', score=0.5, **{column: value}))
    expected = [[name, metric] for name in ('Car', 'Pedestrian', 'Cyclist') for metric in ('bbox', 'bev', '3d', 'aos')]
    assert not_evaluated(report) == [entry for entry in expected if entry[0] != 'Car' or entry[1] in unseen]


def test_one_usable_detection_is_enough_but_one_without_alpha_ends_aos_for_all(tmp_path: Path) -> None:
    labels = row('Car') + row('Pedestrian', at=1)
    results = row('Car', score=0.5) + row('Car', at=3, score=0.4, z=-1000) + row('Pedestrian', at=1, score=0.4)
    assert first(report_of(tmp_path, labels, results), metric='bev') == pytest.approx(ONE_FOUND)
    report = report_of(tmp_path, labels, results + row('Truck', at=5, score=0.1, alpha=-10))
    assert report['Car']['aos']['AP11'] == report['Pedestrian']['aos']['AP11'] == [None] * 3
    assert first(report) == pytest.approx(ONE_FOUND)


@pytest.mark.parametrize(
    ('field', 'value', 'counting'),
    [
        ('occlusion', 0, (1, 1, 1)), ('occlusion', 1, (0, 1, 1)), ('occlusion', 2, (0, 0, 1)),
        ('occlusion', 3, (0, 0, 0)), ('truncation', 0.15, (1, 1, 1)), ('truncation', 0.16, (0, 1, 1)),
        ('truncation', 0.3, (0, 1, 1)), ('truncation', 0.31, (0, 0, 1)), ('truncation', 0.5, (0, 0, 1)),
        ('truncation', 0.51, (0, 0, 0)),
        ('y2', 140, (0, 1, 1)), ('y2', 140.01, (1, 1, 1)), ('y2', 125, (0, 0, 0)), ('y2', 125.01, (0, 1, 1)),
    ],
)  # fmt: skip
def test_which_labels_count(field: str, value: float, counting: tuple[int, int, int], tmp_path: Path) -> None:
    """A label that does not count is ignored: its detection is neither right nor wrong, the other one still found."""
    labels = row('Car', **{field: value}) + row('Car', at=1)
    results = row('Car', score=0.9, y2=value if field == 'y2' else 160) + row('Car', at=1, score=0.5)
    values = report_of(tmp_path, labels, results)['Car']['bbox']
    # Two thresholds, hence entry 1 (a fortieth of AP40), only where both labels count and both detections are valid.
    assert values['AP40'] == pytest.approx([2.5 * both for both in counting])
    assert values['AP11'] == pytest.approx([ONE_FOUND] * 3)


@pytest.mark.parametrize(
    ('height', 'valid'), [(39.99, (0, 1, 1)), (40, (1, 1, 1)), (24.99, (0, 0, 0)), (25, (0, 1, 1))]
)
def test_which_detections_are_valid(height: float, valid: tuple[int, int, int], tmp_path: Path) -> None:
    """Heights are cut to whole pixels; a lower detection can not be wrong."""
    results = row('Car', score=0.5) + row('Car', at=3, height=height, score=0.9)
    report = report_of(tmp_path, row('Car'), results)
    assert report['Car']['bbox']['AP11'] == pytest.approx([ONE_FOUND / (1 + wrong) for wrong in valid])


def test_a_low_detection_of_another_class_can_take_the_object(tmp_path: Path) -> None:
    """It shadows the right one in the first pass, where the higher score wins: nothing is noted."""
    label = row('Car', height=42)
    found = row('Car', height=42, score=0.5)
    assert first(report_of(tmp_path, label, found)) == pytest.approx(ONE_FOUND)
    assert first(report_of(tmp_path, label, found + row('Truck', height=39, score=0.9))) == 0.0


@pytest.mark.parametrize(('name', 'neighbour'), [('Car', 'Van'), ('Pedestrian', 'Person_sitting')])
def test_neighbour_classes_are_ignored(name: str, neighbour: str, tmp_path: Path) -> None:
    labels = row(name) + row(neighbour, at=1)
    results = row(name, score=0.5) + row(name, at=1, score=0.9)
    assert first(report_of(tmp_path, labels, results), name) == pytest.approx(ONE_FOUND)
    assert first(report_of(tmp_path, labels.replace(neighbour, 'Truck'), results), name) == pytest.approx(ONE_FOUND / 2)


@pytest.mark.parametrize(('name', 'limit'), [('Car', 0.7), ('Pedestrian', 0.5), ('Cyclist', 0.5)])
def test_overlap_must_be_exceeded(name: str, limit: float, tmp_path: Path) -> None:
    """A detection inside the label, of exactly (or just over) its share of the area."""
    at_limit = row(name, x1=0, x2=60 * limit, score=0.5)
    above = row(name, x1=0, x2=60 * limit + 0.01, score=0.5)
    assert first(report_of(tmp_path, row(name, x1=0, x2=60), at_limit), name) == 0.0
    assert first(report_of(tmp_path, row(name, x1=0, x2=60), above), name) == pytest.approx(ONE_FOUND)


def test_other_overlaps_by_metric(tmp_path: Path) -> None:
    """Shifted by 1.3 m of its 4 m a car overlaps by 2.7 / 5.3 of the union."""
    result = row('Car', ry=0, x=1.3, score=0.5)
    label = row('Car', ry=0)
    assert first(report_of(tmp_path, label, result), metric='bev') == 0.0
    report = report_of(tmp_path, label, result, min_overlaps={'Car': {'bev': 0.5}})
    assert first(report, metric='bev') == pytest.approx(ONE_FOUND)
    assert first(report, metric='3d') == 0.0
    assert report['min_overlaps']['Car'] == {'bbox': 0.7, 'bev': 0.5, '3d': 0.7}
    assert first(report_of(tmp_path, label, result, min_overlaps={'Car': 0.5}), metric='3d') == pytest.approx(ONE_FOUND)


def test_first_pass_takes_the_highest_score_second_pass_the_greatest_overlap(tmp_path: Path) -> None:
    """The better placed detection of the first car has the lower score; the other one looks the wrong way.

    Thresholds 0.9 and 0.5. At 0.9 the badly placed one is right, its likeness 0; at 0.5 it is wrong, and two are right.
    """
    labels = row('Car') + row('Car', at=1)
    results = (
        row('Car', score=0.9, x1=5, x2=65, alpha=0.1 + np.pi) + row('Car', score=0.8) + row('Car', at=1, score=0.5)
    )
    report = report_of(tmp_path, labels, results)
    assert first(report) == pytest.approx(ONE_FOUND)
    assert report['Car']['bbox']['AP40'] == pytest.approx([2.5 * 2 / 3] * 3)
    assert first(report, metric='aos') == pytest.approx(ONE_FOUND * 2 / 3)


def test_orientation_is_judged_by_alpha(tmp_path: Path) -> None:
    report = report_of(tmp_path, row('Car'), row('Car', score=0.5, alpha=0.1 + np.pi / 2, ry=0.3))
    assert first(report, metric='aos') == pytest.approx(ONE_FOUND / 2)


DONT_CARE = 'DontCare -1 -1 -10 {x1} 100 {x2} 160 -1 -1 -1 -1000 -1000 -1000 -10\n'


@pytest.mark.parametrize(('covered', 'forgiven'), [(42, False), (42.1, True)])
def test_dont_care_forgives_in_the_image_only(covered: float, forgiven: bool, tmp_path: Path) -> None:
    """More than 0.7 of the detection's own area must lie in one area."""
    labels = row('Car') + DONT_CARE.format(x1=300, x2=300 + covered)
    results = row('Car', score=0.5) + row('Car', at=3, score=0.9)
    report = report_of(tmp_path, labels, results)
    assert first(report) == pytest.approx(ONE_FOUND if forgiven else ONE_FOUND / 2)
    assert first(report, metric='bev') == first(report, metric='3d') == pytest.approx(ONE_FOUND / 2)


def test_precision_of_nothing_is_zero_and_said(tmp_path: Path) -> None:
    """An ignored label and a counting one that the same valid detection fits, and a low detection on the ignored one.

    First pass: the ignored label takes the low detection (higher score), the counting one the valid detection, which
    is noted. Second pass: the ignored label prefers the valid detection; the counting one gets none: 0/0.
    """
    labels = row('Car', height=41, x1=10, x2=70, occlusion=3) + row('Car', height=41)
    results = row('Van', height=39, x1=10, x2=70, score=0.95) + row('Car', height=41, x1=5, x2=65, score=0.9)
    report = report_of(tmp_path, labels, results)
    assert first(report) == 0.0
    assert report['undefined_precisions'] > 0


def test_zero_width_is_a_false_positive(tmp_path: Path) -> None:
    report = report_of(tmp_path, row('Car'), row('Car', score=0.5) + row('Car', at=3, score=0.9, w=0))
    assert first(report, metric='bev') == pytest.approx(ONE_FOUND / 2)


def test_lowest_scores_are_never_noted(tmp_path: Path) -> None:
    assert first(report_of(tmp_path, row('Car'), row('Car', score=-1e7))) == 0.0
    assert first(report_of(tmp_path, row('Car'), row('Car', score=-9e6))) == pytest.approx(ONE_FOUND)


def test_frames_in_memory_equal_folders(tmp_path: Path) -> None:
    labels = write(tmp_path / 'l', f0=row('Car') + row('Van', at=1), f1='', f2=row('Cyclist'))
    results = write(tmp_path / 'r', f0=row('Car', score=0.5) + row('Car', at=1, score=0.6), f2=row('CYCLIST', score=1))
    expected = evaluate_folders(labels, results)
    objects = [read_objects(labels / f'{frame}.txt') for frame in range(3)]
    detections = [read_objects(results / '0.txt'), None, read_objects(results / '2.txt')]
    report = evaluate_frames(objects, detections)
    assert report['missing_files'] == 1
    assert report == {key: expected[key] for key in report}


def test_bad_frames_in_memory() -> None:
    one = KittiObjects(
        names=['Car'], truncation=np.zeros(1), occlusion=np.zeros(1, int), alpha=np.zeros(1), boxes_2d=np.ones((1, 4)),
        dimensions=np.ones((1, 3)), location=np.ones((1, 3)), rotation_y=np.zeros(1),
    )  # fmt: skip
    with pytest.raises(DataError, match='expected results for 2 frames, got 1'):
        evaluate_frames([one, one], [None])
    with pytest.raises(DataError, match='no frames to evaluate'):
        evaluate_frames([], [])
    with pytest.raises(DataError, match='results, frame 1: detections need scores'):
        evaluate_frames([one, one], [None, one])
    one.scores = np.array([np.nan])
    with pytest.raises(DataError, match='results, frame 1, object 0: every number must be finite'):
        evaluate_frames([one, one], [None, one])
