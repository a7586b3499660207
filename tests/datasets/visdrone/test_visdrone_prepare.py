"""COCO files: complete, faithful to the rows, and never half written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.visdrone_frames import ROWS, SIZE, write_image, write_root

from pointkd.core.errors import DataError
from pointkd.core.visdrone import CATEGORIES, read_rows
from pointkd.datasets.visdrone.check_image import KNOWN_ZERO_SIZE
from pointkd.datasets.visdrone.coco import rows_of
from pointkd.datasets.visdrone.prepare import prepare, repair_rows


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_root(tmp_path / 'visdrone')


def content_of(path: Path) -> dict:
    return json.loads(path.read_text())


def test_coco_files(root: Path) -> None:
    summary = prepare(root)
    assert summary.images == {'train': 3, 'val': 2}
    assert summary.files == [root / 'visdrone_train.json', root / 'visdrone_val.json']
    assert (summary.repaired, summary.noted, summary.slices) == ([], [], {})
    content = content_of(summary.files[0])
    assert content['images'][1] == {
        'id': 2, 'file_name': 'VisDrone2019-DET-train/images/b.jpg', 'width': SIZE[0], 'height': SIZE[1],
    }  # fmt: skip
    assert [(entry['id'], entry['name']) for entry in content['categories']] == list(enumerate(CATEGORIES))
    assert [entry['id'] for entry in content['annotations']] == list(range(1, 13))
    car, _, region, other = content['annotations'][4:8]
    assert car == {
        'id': 5, 'image_id': 2, 'category_id': 4, 'bbox': [10, 20, 12, 9], 'area': 108, 'iscrowd': 0, 'ignore': 0,
        'truncation': 0, 'occlusion': 1,
    }  # fmt: skip
    assert [(entry['category_id'], entry['ignore'], entry['iscrowd']) for entry in (region, other)] == [
        (0, 1, 1),
        (11, 1, 1),
    ]


def test_rows_come_back(root: Path) -> None:
    rows = (*ROWS, '1,2,3,4,0,7,1,2', '5.5,6.25,7,8,1,10,0,0')  # an object to be ignored; fractions
    write_image(root / 'VisDrone2019-DET-train', 'b', rows)
    content = content_of(prepare(root).files[0])
    found = rows_of(entry for entry in content['annotations'] if entry['image_id'] == 2)
    np.testing.assert_array_equal(found, read_rows(root / 'VisDrone2019-DET-train' / 'annotations' / 'b.txt'))


def test_pycocotools_reads_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools.coco import COCO

    coco = COCO(str(prepare(root).files[0]))
    capsys.readouterr()
    assert len(coco.getAnnIds(catIds=coco.getCatIds(['car']), iscrowd=False)) == 3
    assert len(coco.getAnnIds(catIds=coco.getCatIds(['others']), iscrowd=True)) == 3


def test_another_folder_is_a_whole_data_root(root: Path, tmp_path: Path) -> None:
    for entry in (root, *root.rglob('*')):
        entry.chmod(0o555 if entry.is_dir() else 0o444)
    out = tmp_path / 'out'
    try:
        files = prepare(root, out).files
    finally:
        for entry in (root, *root.rglob('*')):
            entry.chmod(0o755 if entry.is_dir() else 0o644)
    assert files == [out / 'visdrone_train.json', out / 'visdrone_val.json']
    for path in files:
        for image in content_of(path)['images']:
            assert (out / image['file_name']).is_file()
    assert prepare(root, out).files == files  # links are there already
    assert not list(root.glob('*.json'))


def test_what_is_in_the_way_of_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / 'out' / 'VisDrone2019-DET-train' / 'images').mkdir(parents=True)
    with pytest.raises(DataError, match=r'is in the way of a link'):
        prepare(root, tmp_path / 'out')


@pytest.mark.parametrize(
    ('row', 'message', 'hint'),
    [
        ('1,2,3', 'b.txt:5: expected 8 columns or more, got 3', False),
        ('1,2,3,0,1,4,0,0', 'b.txt:5: the box is 3 x 0 pixels', True),
        ('100,2,30,9,1,4,0,0', 'reaches out of the image', True),
        ('1,2,3,nan,1,4,0,0', 'must be a finite number', False),
    ],
)
def test_bad_labels_stop_before_anything_is_written(root: Path, row: str, message: str, hint: bool) -> None:
    for name in ('train', 'val'):
        (root / f'visdrone_{name}.json').write_text('old')
    write_image(root / 'VisDrone2019-DET-train', 'b', (*ROWS, row))
    with pytest.raises(DataError) as caught:
        prepare(root)
    assert message in str(caught.value)
    assert '1 problems, nothing was written' in str(caught.value)
    assert f'`pointkd check-data visdrone {root}` names all' in str(caught.value)
    assert ('--repair' in str(caught.value)) == hint
    assert (root / 'visdrone_train.json').read_text() == (root / 'visdrone_val.json').read_text() == 'old'
    assert not (root / 'slices').exists()


def test_a_truncated_image_stops_too(root: Path, tmp_path: Path) -> None:
    path = root / 'VisDrone2019-DET-val' / 'images' / 'd.jpg'
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError, match=r'd\.jpg: does not decode'):
        prepare(root, tmp_path / 'out', repair=True)
    assert not (tmp_path / 'out').exists()


def test_repair(root: Path) -> None:
    rows = ('-5,80,20,20,1,4,0,0', '1,2,3,0,1,4,0,0', '300,2,3,5,1,4,0,0', *ROWS)
    write_image(root / 'VisDrone2019-DET-train', 'b', rows)
    summary = prepare(root, repair=True)
    assert len(summary.repaired) == 3
    boxes = [entry['bbox'] for entry in content_of(summary.files[0])['annotations'] if entry['image_id'] == 2]
    assert boxes == [[0, 80, 15, 10], [10, 20, 12, 9], [50, 30, 8, 16], [0, 0, 30, 15], [90, 60, 20, 20]]


def test_repair_leaves_good_boxes_alone() -> None:
    rows = np.array([[0, 0, 120, 90, 1, 4, 0, 0], [3.5, 4, 1, 1, 0, 0, 0, 0]])
    np.testing.assert_array_equal(repair_rows(rows, SIZE), rows)


def test_zero_size_rows_of_the_official_files_stay(root: Path) -> None:
    """The metric counts the car among them; mmdet skips boxes without area by itself."""
    write_image(root / 'VisDrone2019-DET-train', KNOWN_ZERO_SIZE[1], (*ROWS, '4,5,6,0,1,4,0,0'))
    summary = prepare(root)
    assert len(summary.noted) == 1
    assert [entry['area'] for entry in content_of(summary.files[0])['annotations']].count(0) == 1


def test_lists_make_parts(tmp_path: Path) -> None:
    for stem in 'abc':
        write_image(tmp_path / 'one', stem)
    (tmp_path / 'train.txt').write_text('c\na\n')
    (tmp_path / 'val.txt').write_text('b\n')
    summary = prepare(tmp_path / 'one', lists={name: tmp_path / f'{name}.txt' for name in ('train', 'val')})
    assert summary.images == {'train': 2, 'val': 1}
    assert [image['file_name'] for image in content_of(summary.files[0])['images']] == ['images/c.jpg', 'images/a.jpg']


def test_processes_give_the_same(root: Path, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in prepare(root, tmp_path / 'a').files]
    assert [path.read_bytes() for path in prepare(root, tmp_path / 'b', jobs=2).files] == first


@pytest.mark.data
def test_real_labels(shared: Path, tmp_path: Path) -> None:
    root = shared / 'data' / 'aerial' / 'visdrone'
    content = content_of(prepare(root, tmp_path).files[0])
    counts = np.bincount([entry['category_id'] for entry in content['annotations']])
    assert counts.tolist() == [176, 1976, 891, 207, 2385, 388, 301, 119, 77, 73, 682, 23]
    sizes = json.loads((root / 'sizes.json').read_text())
    assert {Path(i['file_name']).stem: [i['width'], i['height']] for i in content['images']} == sizes
    assert sum(entry['ignore'] for entry in content['annotations']) == 176 + 23
