"""Joining boxes of tiles: against a plain loop, and on cases worked out by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.ops.tile_merge import merge_tile_boxes

WHOLE, PART = [0.0, 0, 10, 10], [5.0, 0, 10, 10]


def merge(
    boxes: list, scores: list, labels: list, tiles: list, **settings: object
) -> list[tuple[list[float], float, int]]:
    found = merge_tile_boxes(
        torch.tensor(boxes).reshape(-1, 4), torch.tensor(scores), torch.tensor(labels), torch.tensor(tiles), **settings
    )
    return list(zip(*(part.tolist() for part in found), strict=True))


def test_a_part_with_the_higher_score_grows_to_the_whole() -> None:
    assert merge([WHOLE, PART], [0.25, 0.75], [3, 3], [0, 1]) == [(WHOLE, 0.75, 3)]
    assert merge([WHOLE, PART], [0.25, 0.75], [3, 3], [0, 1], mode='nms') == [(PART, 0.75, 3)]


def test_boxes_of_one_tile_stay() -> None:
    assert len(merge([WHOLE, WHOLE], [0.25, 0.75], [3, 3], [1, 1])) == 2


def test_boxes_of_two_classes_stay() -> None:
    assert len(merge([WHOLE, WHOLE], [0.25, 0.75], [3, 4], [0, 1])) == 2


def test_the_threshold_itself_is_enough() -> None:
    half = [5.0, 0, 15, 10]  # shares 50 of 100 square pixels, 50 of 150 together
    assert len(merge([WHOLE, half], [0.5, 0.25], [0, 0], [0, 1], threshold=0.5)) == 1
    assert len(merge([WHOLE, half], [0.5, 0.25], [0, 0], [0, 1], threshold=0.51)) == 2
    assert len(merge([WHOLE, half], [0.5, 0.25], [0, 0], [0, 1], measure='iou', threshold=0.5)) == 2
    assert len(merge([WHOLE, half], [0.5, 0.25], [0, 0], [0, 1], measure='iou', threshold=1 / 3)) == 1


def test_boxes_without_area_and_no_boxes() -> None:
    assert len(merge([[1.0, 1, 1, 5], WHOLE], [0.5, 0.25], [0, 0], [0, 1])) == 2
    assert merge([], [], [], []) == []


def test_equal_scores_keep_their_order() -> None:
    boxes = [[20.0 * number, 0, 20.0 * number + 5, 5] for number in range(20)]
    found = merge(boxes, [0.5] * 20, [0] * 20, [0] * 20)
    assert [box for box, _, _ in found] == boxes


@pytest.mark.parametrize('scores', [[0.9, 0.8, 0.7, 0.6], [0.9, 0.8, 0.6, 0.7], [0.6, 0.7, 0.9, 0.8]])
def test_two_neighbours_seen_by_two_tiles_stay_two(scores: list[float]) -> None:
    """A child before an adult: each tile sees both, the child's box lies inside the adult's."""
    adult, child = [0.0, 0, 10, 30], [2.0, 12, 8, 30]
    found = merge([adult, child, adult, child], scores, [0] * 4, [0, 0, 1, 1])
    assert sorted(box for box, _, _ in found) == [adult, child]


def test_a_box_grows_along_a_chain_of_parts() -> None:
    """The best part does not touch the last one; the whole, which has the lowest score, joins them."""
    parts = [[0.0, 0, 4, 10], [6.0, 0, 10, 10], WHOLE]
    assert merge(parts, [0.9, 0.8, 0.1], [0] * 3, [0, 1, 2]) == [(WHOLE, pytest.approx(0.9), 0)]
    assert len(merge(parts, [0.9, 0.8, 0.1], [0] * 3, [0, 1, 2], mode='nms')) == 2


def overlaps(first: list[float], second: list[float]) -> dict[str, float]:
    x, y = (min(first[k + 2], second[k + 2]) - max(first[k], second[k]) for k in range(2))
    if x <= 0 or y <= 0:
        return {'iou': 0.0, 'ios': 0.0}
    one, two = ((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return {'iou': x * y / (one + two - x * y), 'ios': x * y / min(one, two)}


def plain(boxes: Tensor, scores: Tensor, labels: Tensor, tiles: Tensor, settings: tuple[float, str, str]) -> list:
    """The same, box by box."""
    threshold, measure, mode = settings
    todo = sorted(range(len(boxes)), key=lambda number: -float(scores[number]))
    result = []
    while todo:
        best = todo.pop(0)
        hull, used = boxes[best].tolist(), {int(tiles[best])}
        while True:
            near = [k for k in todo if labels[k] == labels[best] and int(tiles[k]) not in used]
            near = [k for k in near if overlaps(hull, boxes[k].tolist())[measure] >= threshold]
            if not near:
                break
            taken = max(near, key=lambda k: overlaps(hull, boxes[k].tolist())['iou'])
            todo.remove(taken)
            used.add(int(tiles[taken]))
            if mode == 'nmm':
                both = torch.tensor([hull, boxes[taken].tolist()])
                hull = [*both[:, :2].amin(0).tolist(), *both[:, 2:].amax(0).tolist()]
        result.append((hull, float(scores[best]), int(labels[best])))
    return result


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 25),
    st.sampled_from([0.1, 0.5, 0.9]),
    st.sampled_from(['iou', 'ios']),
    st.sampled_from(['nms', 'nmm']),
)
def test_equal_to_a_plain_loop(seed: int, count: int, threshold: float, measure: str, mode: str) -> None:
    random = torch.Generator().manual_seed(seed)
    corner = torch.randint(0, 12, (count, 2), generator=random).double()
    boxes = torch.cat([corner, corner + torch.randint(0, 8, (count, 2), generator=random)], dim=1)
    scores = torch.randint(0, 5, (count,), generator=random) / 4
    labels, tiles = (torch.randint(0, 4, (count,), generator=random) for _ in range(2))
    found = merge_tile_boxes(boxes, scores, labels, tiles, threshold=threshold, measure=measure, mode=mode)
    expected = plain(boxes, scores, labels, tiles, (threshold, measure, mode))
    assert list(zip(*(part.tolist() for part in found), strict=True)) == expected


@pytest.mark.parametrize(
    'wrong', [{'threshold': 0.0}, {'threshold': 1.1}, {'threshold': float('nan')}, {'measure': 'giou'}, {'mode': 'wbf'}]
)
def test_wrong_settings(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r'overlap|measure|mode'):
        merge([WHOLE], [0.5], [0], [0], **wrong)


def test_wrong_shapes() -> None:
    with pytest.raises(ShapeError, match='boxes'):
        merge_tile_boxes(torch.zeros(2, 5), torch.zeros(2), torch.zeros(2), torch.zeros(2))
    with pytest.raises(ShapeError, match='tiles'):
        merge_tile_boxes(torch.zeros(2, 4), torch.zeros(2), torch.zeros(2), torch.zeros(3))
