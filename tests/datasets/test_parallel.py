import multiprocessing
import os
import time
from pathlib import Path

import pytest
from helpers.jobs import die_at_three, fail_at_three, process, square, wait_beside

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


def wait_for(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_killing_the_parent_leaves_no_process(tmp_path):
    parent = multiprocessing.get_context('spawn').Process(target=wait_beside, args=(str(tmp_path),))
    parent.start()
    wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
    parent.kill()
    parent.join()
    wait_for(lambda: not any(alive(path.name) for path in tmp_path.iterdir()))


def alive(process_id):
    """Whether a process runs (one that has ended but not been collected does not)."""
    try:
        state = Path(f'/proc/{process_id}/stat').read_text().rpartition(')')[2].split()[0]
    except FileNotFoundError:
        return False
    return state != 'Z'
