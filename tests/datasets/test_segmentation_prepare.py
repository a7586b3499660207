"""What create-data makes is what mmseg's data sets read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.small_segmentation import SHAPE, write_camvid, write_cityscapes, write_photograph

import pointkd.engine
from pointkd.core.errors import DataError
from pointkd.core.label_images import read_label_image, write_label_image
from pointkd.datasets.segmentation_check import VOID, read_photograph
from pointkd.datasets.segmentation_prepare import prepare_camvid, prepare_cityscapes
from pointkd.evaluation.cityscapes.rules import CLASS_IDS

from mmseg.registry import DATASETS  # isort: skip

assert pointkd.engine  # registers CamVidDataset and prepares the packages
PIPELINE = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]


def build(**settings) -> list:
    return DATASETS.build(dict(pipeline=PIPELINE, _scope_='mmseg', **settings))


def test_stock_cityscapes_reads_it_by_folder_and_by_list(tmp_path: Path) -> None:
    root = write_cityscapes(tmp_path)
    assert prepare_cityscapes(root) == {'train': 2, 'val': 1}
    settings = dict(
        type='CityscapesDataset',
        data_root=str(root),
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
    )
    for data in (build(**settings), build(**settings, ann_file='splits/train.txt')):
        assert len(data) == 2
        for sample in data:
            path = Path(sample['data_samples'].seg_map_path)
            ids = read_label_image(path.with_name(path.name.replace('labelTrainIds', 'labelIds')))
            found = sample['data_samples'].gt_sem_seg.data[0].numpy()
            expected = np.full(SHAPE, VOID)
            for train_id, own in enumerate(CLASS_IDS.values()):
                expected[ids == own] = train_id
            np.testing.assert_array_equal(found, expected)
            assert (found == VOID).any() == (ids == 0).any()


def test_cityscapes_elsewhere(tmp_path: Path) -> None:
    root, out = write_cityscapes(tmp_path / 'root'), tmp_path / 'out'
    before = sorted(path.name for path in root.rglob('*'))
    prepare_cityscapes(root, out)
    assert sorted(path.name for path in root.rglob('*')) == before
    data = build(
        type='CityscapesDataset',
        data_root=str(out),
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        ann_file='splits/val.txt',
    )
    assert data[0]['inputs'].shape == (3, *SHAPE)
    assert len(list(out.rglob('*_instanceIds.png'))) == 3
    prepare_cityscapes(root, out)  # once more: all is there


def test_camvid_data_set(tmp_path: Path) -> None:
    root, out = write_camvid(tmp_path / 'root'), tmp_path / 'out'
    assert prepare_camvid(root, out) == {'train': 2, 'val': 1, 'test': 1}
    prefix = dict(img_path='images', seg_map_path='labels')
    data = build(type='CamVidDataset', data_root=str(out), data_prefix=prefix, ann_file='splits/train.txt')
    by_folder = dict(img_path='images/val', seg_map_path='labels/val')
    assert len(build(type='CamVidDataset', data_root=str(out), data_prefix=by_folder)) == 1
    assert len(data) == 2
    assert len(data.metainfo['classes']) == len(data.metainfo['palette']) == 11
    for number, sample in enumerate(data):
        origin = read_label_image(root / 'trainannot' / f'train_{number:04d}.png')
        found = sample['data_samples'].gt_sem_seg.data[0].numpy()
        np.testing.assert_array_equal(found, np.where(origin == 11, VOID, origin))
    assert {path.read_text() for path in (out / 'splits').iterdir()} == {
        'train/train_0000\ntrain/train_0001\n', 'val/val_0000\n', 'test/test_0000\n',
    }  # fmt: skip


def test_lists_of_drives(tmp_path: Path) -> None:
    root, out = write_camvid(tmp_path / 'root', train=3), tmp_path / 'out'
    for folder, ending in (('train', 'jpg'), ('trainannot', 'png')):
        (root / folder / f'train_0001.{ending}').rename(root / folder / f'dusk_0001.{ending}')
    lines = (root / 'train.txt').read_text().replace('train_0001', 'dusk_0001')
    (root / 'train.txt').write_text(lines)
    assert prepare_camvid(root, out) == {'train': 3, 'val': 1, 'test': 1}

    def names(file: str) -> list[str]:
        return (out / 'splits' / f'{file}.txt').read_text().split()

    assert names('train-dusk') == names('train-without-train') == ['train/dusk_0001']
    assert names('train-train') == names('train-without-dusk') == ['train/train_0000', 'train/train_0002']


def test_what_is_right_is_kept_and_what_is_not_is_made_anew(tmp_path: Path) -> None:
    root, out = write_camvid(tmp_path / 'root'), tmp_path / 'out'
    prepare_camvid(root, out)
    kept, broken = out / 'labels' / 'train' / 'train_0000.png', out / 'labels' / 'train' / 'train_0001.png'
    moment = kept.stat().st_mtime_ns
    right = broken.read_bytes()
    broken.write_bytes(right[:40])
    prepare_camvid(root, out)
    assert kept.stat().st_mtime_ns == moment
    assert broken.read_bytes() == right


@pytest.mark.parametrize('end', ['_leftImg8bit.png', '_gtFine_labelIds.png'])
def test_missing_files_of_cityscapes(tmp_path: Path, end: str) -> None:
    root = write_cityscapes(tmp_path)
    next(root.rglob(f'ulm*{end}')).unlink()
    with pytest.raises(DataError, match=rf'ulm_000000_000000{end} is missing'):
        prepare_cityscapes(root)
    assert not (root / 'splits').exists()


def test_test_split_without_labels(tmp_path: Path) -> None:
    root = write_cityscapes(tmp_path, ('val/rome', 'test/linz'))
    next(root.rglob('linz*_labelIds.png')).unlink()
    assert prepare_cityscapes(root) == {'val': 1, 'test': 1}


def test_broken_files(tmp_path: Path) -> None:
    root = write_camvid(tmp_path / 'root')
    write_label_image(root / 'valannot' / 'val_0000.png', np.full(SHAPE, 12, np.uint8))
    with pytest.raises(DataError, match=r'val_0000\.png: expected values 0\.\.11, got 12'):
        prepare_camvid(root, tmp_path / 'out')
    assert not (tmp_path / 'out' / 'splits').exists()
    (root / 'val' / 'val_0000.jpg').unlink()
    write_label_image(root / 'valannot' / 'val_0000.png', np.full(SHAPE, 11, np.uint8))
    with pytest.raises(DataError, match=r'val_0000\.jpg is missing'):
        prepare_camvid(root, tmp_path / 'out')


def test_lists_that_share_images(tmp_path: Path) -> None:
    root = write_camvid(tmp_path / 'root')
    lines = (root / 'val.txt').read_text()
    (root / 'test.txt').write_text(lines)
    with pytest.raises(DataError, match='1 images are in both val and test'):
        prepare_camvid(root, tmp_path / 'out')
    (root / 'test.txt').write_text('alone\n')
    with pytest.raises(DataError, match='expected IMAGE LABEL'):
        prepare_camvid(root, tmp_path / 'out')


def test_png_photographs_are_linked_and_others_written_anew(tmp_path: Path) -> None:
    root, out = write_camvid(tmp_path / 'root', train=1), tmp_path / 'out'
    write_photograph(root / 'val' / 'p.png')
    (root / 'val.txt').write_text('val/p.png valannot/val_0000.png\n')
    prepare_camvid(root, out)
    anew, linked = out / 'images' / 'train' / 'train_0000.png', out / 'images' / 'val' / 'p.png'
    assert linked.is_symlink()
    assert linked.resolve() == (root / 'val' / 'p.png').resolve()
    assert anew.read_bytes()[:4] == b'\x89PNG'
    np.testing.assert_array_equal(read_photograph(anew), read_photograph(root / 'train' / 'train_0000.jpg'))
    moment = anew.stat().st_mtime_ns
    prepare_camvid(root, out)
    assert anew.stat().st_mtime_ns == moment
    anew.write_bytes(b'')
    prepare_camvid(root, out)
    assert anew.read_bytes()[:4] == b'\x89PNG'


def test_something_in_the_way_of_a_link(tmp_path: Path) -> None:
    root, out = write_cityscapes(tmp_path / 'root'), tmp_path / 'out'
    name = 'leftImg8bit/train/ulm/ulm_000000_000000_leftImg8bit.png'
    write_photograph(out / name)
    with pytest.raises(DataError, match=r'ulm_000000_000000_leftImg8bit\.png is in the way'):
        prepare_cityscapes(root, out)
    (out / name).unlink()
    (out / name).symlink_to(tmp_path / 'gone.png')
    prepare_cityscapes(root, out)
    assert (out / name).resolve() == (root / name).resolve()
