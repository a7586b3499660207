"""Each rule by itself, on a case small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.visdrone_sets import row

from pointkd.evaluation.visdrone import CLASSES, METRICS, Report, evaluate_images

CAR, VAN, OTHERS = 4, 5, 11


def rows(*texts: str) -> np.ndarray:
    return np.array([[float(word) for word in text.split(',')] for text in texts]).reshape(-1, 8)


def evaluate(labels: list[str], results: list[str], size: tuple[int, int] = (100, 100)) -> Report:
    return evaluate_images([rows(*labels)], [rows(*results)], [size])


def test_a_found_object() -> None:
    report = evaluate([row()], [row(score=0.3)])
    assert [report[name] for name in METRICS] == [100.0] * 7
    assert report['classes']['car'] == {**dict.fromkeys(METRICS, 100.0), 'images': 1, 'labels': 1, 'detections': 1}


def test_no_label_is_undefined() -> None:
    report = evaluate([row(category=OTHERS, score=0)], [row(score=0.3)])
    assert [report[name] for name in METRICS] == [None] * 7
    assert all(entry['AP'] is None for entry in report['classes'].values())
    assert [entry['AR1'] for entry in report['sizes'].values()] == [None] * 3


def test_no_detection_is_zero() -> None:
    assert [evaluate([row()], [])[name] for name in METRICS] == [0.0] * 7


def test_overlap_of_exactly_the_threshold_matches() -> None:
    report = evaluate([row(w=10)], [row(w=5)])  # 50 of 100 square pixels
    assert (report['AP50'], report['AP75'], report['AP']) == (100.0, 0.0, 10.0)


def test_classes_weigh_by_the_images_they_are_in() -> None:
    images = [rows(row(), row(x=50, category=VAN)), rows(row()), rows(row())]
    found = [rows(row()), rows(row()), rows(row())]
    report = evaluate_images(images, found)
    assert report['AP'] == 75.0
    assert report['plain_mean']['AP'] == 50.0


def test_rows_are_cut_in_the_order_of_the_file() -> None:
    report = evaluate([row()], [row(x=60, score=0.1), row(score=0.9)])
    assert (report['AR1'], report['AR10']) == (0.0, 100.0)


def test_categories_that_are_not_evaluated_take_up_room() -> None:
    assert evaluate([row()], [row(category=OTHERS), row()])['AR1'] == 0.0


def test_rows_in_ignored_regions_take_up_no_room() -> None:
    region = row(x=40, y=40, w=30, h=30, score=0, category=0)
    report = evaluate([row(), region], [row(x=45, y=45), row()])
    assert report['AR1'] == 100.0
    assert report['dropped_rows'] == {'labels': 0, 'results': 1}


@pytest.mark.parametrize(('left', 'dropped'), [(45, 1), (46, 0)])
def test_half_in_an_ignored_region_is_in_it(left: int, dropped: int) -> None:
    """A region from column 1 to 50 covers, of the columns left+1 to left+10, those up to 50."""
    region = row(x=0, y=0, w=49, h=90, score=0, category=0)
    assert evaluate([region, row(x=left, y=20)], [])['dropped_rows']['labels'] == dropped


def test_others_shield_nothing() -> None:
    report = evaluate([row(), row(x=50, score=0, category=OTHERS)], [row(x=50, score=0.9), row(score=0.5)])
    assert report['AP'] == 50.0


def test_ignore_labels_absorb_any_number_and_count_in_recall() -> None:
    labels = [row(), row(x=50, score=0)]
    report = evaluate(labels, [row(x=50, score=0.9), row(x=50, score=0.8), row(x=52, w=3, score=0.7), row(score=0.5)])
    assert report['AP'] == 50.0  # precision 1, recall 1 of 2
    assert report['classes']['car']['labels'] == 2


def test_an_unknown_category_is_counted() -> None:
    report = evaluate([row()], [row(category=12), row(category=4.5), row(), row(category=-1)])
    assert report['unknown_categories'] == {'labels': 0, 'results': 3}
    assert report['AR1'] == 0.0


def test_sizes_of_objects() -> None:
    labels = [row(w=31, h=33), row(x=40, w=32, h=32), row(y=40, w=96, h=96)]  # 1023, 1024, 9216 square pixels
    report = evaluate(labels, labels, (500, 500))
    assert [entry['labels'] for entry in report['sizes'].values()] == [1, 1, 1]
    assert [entry['AP'] for entry in report['sizes'].values()] == [100.0] * 3
    missed = evaluate(labels, labels[1:], (500, 500))
    assert [entry['AP'] for entry in missed['sizes'].values()] == [0.0, 100.0, 100.0]


def test_detections_of_another_size_are_wrong_only_for_their_size() -> None:
    report = evaluate([row()], [row(x=200, w=50, h=50, score=0.9), row(score=0.5)], (500, 500))
    assert report['AP'] == 50.0
    assert report['sizes']['small']['AP'] == 100.0


def test_order_of_images_decides_between_equal_scores() -> None:
    right, wrong = ([rows(row())], [rows(row(score=0.5))]), ([rows()], [rows(row(score=0.5))])
    first = evaluate_images(right[0] + wrong[0], right[1] + wrong[1])
    last = evaluate_images(wrong[0] + right[0], wrong[1] + right[1])
    assert (first['AP'], last['AP']) == (100.0, 50.0)


def test_all_ten_classes() -> None:
    labels = [row(x=20 * number, category=number) for number in range(1, 11)]
    report = evaluate(labels, labels)
    assert [report['classes'][name]['AP'] for name in CLASSES] == [100.0] * 10
    assert list(report['classes']) == ['pedestrian', 'people', 'bicycle', 'car', 'van', 'truck', 'tricycle',
                                       'awning-tricycle', 'bus', 'motor']  # fmt: skip


def test_huge_numbers_are_no_trouble() -> None:
    region = row(w=50, h=50, score=0, category=0)
    report = evaluate([region, row(x=70)], [row(x=1e300, y=-1e300, w=1e200, h=1e200), row(x=70)])
    assert (report['AR10'], report['AP']) == (100.0, 50.0)
