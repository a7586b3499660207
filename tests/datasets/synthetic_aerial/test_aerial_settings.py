import pytest

from pointkd.core.errors import ConfigError
from pointkd.datasets.synthetic_aerial import AerialSettings


def test_counts_default_to_shares_of_the_training_images():
    assert AerialSettings(images=1500).counts() == {'train': 1500, 'val': 200, 'test': 300}
    assert AerialSettings(images=4, val=0, test=7).counts() == {'train': 4, 'val': 0, 'test': 7}


@pytest.mark.parametrize(
    ('option', 'values'),
    [
        ('--images', {'images': -2}),
        ('--images', {'images': 10_000_000}),
        ('--val', {'val': -5}),
        ('--test', {'test': -3}),
        ('--size', {'size': 32}),
        ('--size', {'size': 5000}),
        ('--jobs', {'jobs': 0}),
    ],
)
def test_refuses_what_makes_no_sense(option, values):
    with pytest.raises(ConfigError, match=f'{option}: expected'):
        AerialSettings(**{'images': 10, **values})


def test_the_recipe_leaves_out_what_does_not_concern_an_image():
    one, other = AerialSettings(images=3, seed=1, jobs=1), AerialSettings(images=9, seed=1, jobs=4)
    assert one.recipe() == other.recipe()
    assert one.recipe() != AerialSettings(images=3, seed=2).recipe()
    assert one.recipe() != AerialSettings(images=3, seed=1, size=256).recipe()
