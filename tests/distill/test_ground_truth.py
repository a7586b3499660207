"""Label maps reach methods as the student's loss sees them: behind augmentation and padding."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import PixelData

from pointkd.core.errors import DataError
from pointkd.distill.ground_truth import label_maps


def sample(labels, key='data'):
    """A data sample with labels."""
    return SimpleNamespace(gt_sem_seg=PixelData(**{key: labels}))


@pytest.mark.parametrize('key', ['data', 'sem_seg'])
def test_labels_of_a_batch(key):
    maps = torch.arange(24, dtype=torch.uint8).reshape(2, 1, 3, 4)
    found = label_maps([sample(labels, key) for labels in maps], torch.zeros(2, 5, 1, 1))
    assert found.dtype == torch.int64
    assert torch.equal(found, maps[:, 0].long())


def test_no_samples():
    assert label_maps([], torch.zeros(0, 3, 2, 2)).shape == (0, 1, 1)


@pytest.mark.parametrize(
    ('samples', 'words'),
    [
        (None, 'got none'),
        ([sample(torch.zeros(1, 3, 4))], 'expected 2, one a sample'),
        ([sample(torch.zeros(1, 3, 4)), SimpleNamespace()], 'SimpleNamespace without it'),
        ([sample(torch.zeros(1, 3, 4)), sample(torch.zeros(1, 4, 4))], r'\(3, 4\), \(4, 4\)'),
        ([sample(torch.zeros(2, 3, 4)), sample(torch.zeros(2, 3, 4))], r'got \(2, 3, 4\)'),
    ],
)
def test_bad_samples(samples, words):
    with pytest.raises(DataError, match=words):
        label_maps(samples, torch.zeros(2, 5, 1, 1))
