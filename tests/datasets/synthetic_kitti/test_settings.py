import pytest

from pointkd.core.errors import ConfigError
from pointkd.datasets.synthetic_kitti import SceneSettings


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(scenes=0), '--scenes: expected 1 to'),
        (dict(scenes=5, val_share=1.0), '--val-share: expected 0 to below 1'),
        (dict(scenes=5, val_share=float('nan')), '--val-share'),
        (dict(scenes=5, range_m=5), '--range-m: expected 15 to 80 metres, got 5'),
        (dict(scenes=5, beams=128), '--beams: expected one of 64, 32, 16'),
        (dict(scenes=5, jobs=0), '--jobs'),
    ],
)
def test_wrong_settings(wrong, message):
    with pytest.raises(ConfigError, match=message):
        SceneSettings(**wrong)


@pytest.mark.parametrize(('share', 'count'), [(0.0, 0), (0.25, 25), (0.1, 10), (0.3, 30), (0.99, 99)])
def test_share_of_val_is_exact_and_spread(share, count):
    chosen = [SceneSettings(scenes=100, val_share=share, jobs=1).in_val(number) for number in range(100)]
    assert sum(chosen) == count
    assert abs(sum(chosen[:50]) - count / 2) <= 1


def test_a_frame_keeps_its_part_when_scenes_are_added():
    few, many = (SceneSettings(scenes=count, val_share=0.2, jobs=1) for count in (10, 1000))
    assert [few.in_val(number) for number in range(10)] == [many.in_val(number) for number in range(10)]
