import os

import pytest
from helpers.jobs import die_at_three, fail_at_three, process, square

from pointkd.core.errors import DataError, PointKDError
from pointkd.datasets.parallel import map_frames


@pytest.mark.parametrize('jobs', [1, 2])
def test_results_come_in_order(jobs):
    assert list(map_frames(square, range(20), jobs)) == [number * number for number in range(20)]


def test_nothing_to_do():
    assert list(map_frames(square, [], 4)) == []


def test_one_job_works_here():
    assert set(map_frames(process, range(3), 1)) == {os.getpid()}
    assert os.getpid() not in set(map_frames(process, range(3), 2))


@pytest.mark.parametrize('jobs', [1, 2])
def test_an_error_comes_through(jobs):
    with pytest.raises(DataError, match='frame 3 is broken'):
        list(map_frames(fail_at_three, range(10), jobs))


def test_a_killed_process_is_said():
    with pytest.raises(PointKDError, match='a process was killed'):
        list(map_frames(die_at_three, range(10), 2))


def test_a_loop_may_be_left_early():
    for result in map_frames(square, range(100), 2):
        if result == 4:
            break
