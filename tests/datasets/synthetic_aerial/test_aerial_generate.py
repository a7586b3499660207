import hashlib
import json

import cv2
import numpy as np
import pytest

from pointkd.cli.main import main
from pointkd.core.errors import ConfigError, DataError
from pointkd.datasets.synthetic_aerial import AerialSettings, generate
from pointkd.datasets.synthetic_aerial.classes import CLASSES
from pointkd.datasets.synthetic_aerial.frame import Frame, make_picture, read_rows

PARTS = {'train': ('train', 4), 'val': ('val', 1), 'test': ('test-dev', 1)}


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


def test_layout(aerial):
    for split, (part, count) in PARTS.items():
        folder = aerial / f'VisDrone2019-DET-{part}'
        stems = [f'{split}_{number:07d}' for number in range(count)]
        assert sorted(path.name for path in (folder / 'images').iterdir()) == [f'{stem}.jpg' for stem in stems]
        assert sorted(path.name for path in (folder / 'annotations').iterdir()) == [f'{stem}.txt' for stem in stems]


def test_pictures_have_content_and_rows_lie_inside(aerial):
    objects = 0
    for path in sorted(aerial.rglob('*.jpg')):
        image = cv2.imread(str(path))
        assert image.shape == (320, 320, 3)
        assert image.std() > 3
        for line in (path.parents[1] / 'annotations' / f'{path.stem}.txt').read_text().splitlines():
            x, y, width, height, score, category, truncation, occlusion = map(int, line.split(','))
            assert 0 <= x < x + width <= 320
            assert 0 <= y < y + height <= 320
            assert 0 <= category <= 10
            assert score == (category != 0)
            assert truncation in (0, 1)
            assert occlusion in (0, 1, 2)
            objects += score
    assert objects > 20


def test_coco_files_hold_the_same_rows(aerial):
    for split, (_, count) in PARTS.items():
        content = json.loads((aerial / f'{split}.json').read_text())
        assert [entry['name'] for entry in content['categories']] == list(CLASSES)
        assert len(content['images']) == count
        assert len({entry['id'] for entry in content['annotations']}) == len(content['annotations'])
        for image in content['images']:
            path = aerial / image['file_name']
            assert path.is_file()
            rows = read_rows(path.parents[1] / 'annotations' / f'{path.stem}.txt')
            own = [entry for entry in content['annotations'] if entry['image_id'] == image['id']]
            objects = [(tuple(entry['bbox']), entry['category_id']) for entry in own if not entry['iscrowd']]
            assert objects == [(row.box, row.category) for row in rows if row.category]
            for region in (row for row in rows if not row.category):
                crowds = [
                    entry['category_id'] for entry in own if entry['iscrowd'] and tuple(entry['bbox']) == region.box
                ]
                assert set(crowds) == set(range(1, 11))


def test_a_picture_depends_on_seed_split_and_number_only():
    settings = AerialSettings(images=4, seed=5, size=160)
    image, rows, _ = make_picture(settings, Frame('train', 2))
    np.random.seed(7)
    cv2.setRNGSeed(7)
    again, same, _ = make_picture(AerialSettings(images=90, seed=5, size=160, jobs=3), Frame('train', 2))
    assert (image == again).all()
    assert rows == same
    for other in (Frame('train', 3), Frame('val', 1)):
        assert (make_picture(settings, other)[0] != image).any()
    assert (make_picture(AerialSettings(images=4, seed=6, size=160), Frame('train', 2))[0] != image).any()


@pytest.mark.long
def test_same_bytes_whatever_the_jobs(aerial, tmp_path):
    generate(AerialSettings(images=3, val=1, test=0, seed=3, jobs=2), tmp_path)
    first = digests(aerial)
    for name, digest in digests(tmp_path).items():
        if name.startswith('VisDrone'):
            assert digest == first[name], name


def test_goes_on_where_it_stopped_and_grows(tmp_path):
    small = dict(val=0, test=0, seed=1, size=96, jobs=1)
    assert generate(AerialSettings(images=2, **small), tmp_path) == 2
    before = digests(tmp_path)
    folder = tmp_path / 'VisDrone2019-DET-train'
    (folder / 'annotations' / 'train_0000001.txt').unlink()
    (folder / 'images' / '.train_0000001.jpg.77.tmp').write_bytes(b'half')
    calls = []
    made = generate(AerialSettings(images=2, **small), tmp_path, lambda done, total: calls.append((done, total)))
    assert made == 1
    assert calls == [(0, 1), (1, 1)]
    assert digests(tmp_path) == before
    assert generate(AerialSettings(images=3, **small), tmp_path) == 1
    assert len(json.loads((tmp_path / 'train.json').read_text())['images']) == 3


def test_an_empty_set(tmp_path):
    assert generate(AerialSettings(images=0, jobs=1), tmp_path) == 0
    for split in ('train', 'val', 'test'):
        content = json.loads((tmp_path / f'{split}.json').read_text())
        assert content['images'] == content['annotations'] == []
        assert len(content['categories']) == 10


def test_refuses_a_folder_of_another_recipe(tmp_path):
    generate(AerialSettings(images=0, seed=1), tmp_path)
    with pytest.raises(ConfigError, match='choose another --out'):
        generate(AerialSettings(images=0, seed=2), tmp_path)
    (tmp_path / 'synthetic.json').write_text('{')
    with pytest.raises(ConfigError, match='is not JSON'):
        generate(AerialSettings(images=0, seed=1), tmp_path)


@pytest.mark.parametrize('line', ['1,2,3', 'a,b,c,d,e,f,g,h', '1,2,3,4,1,4,0,0,9'])
def test_a_broken_annotation_is_named(tmp_path, line):
    path = tmp_path / '0000000.txt'
    path.write_text(f'1,2,3,4,1,4,0,0\n{line}\n')
    with pytest.raises(DataError, match=r'0000000\.txt, line 2'):
        read_rows(path)


def test_the_verb(tmp_path, capsys):
    out = tmp_path / 'made'
    options = ['create-data', 'synthetic-aerial', '--size', '96', '--out', str(out), '--jobs', '1']
    assert main([*options, '--images', '1', '--val', '1', '--test', '0']) == 0
    assert '2 images made' in capsys.readouterr().out
    assert (out / 'VisDrone2019-DET-val' / 'annotations' / 'val_0000000.txt').is_file()
    assert main([*options, '--images', '1', '--val', '-9']) != 0
    assert '--val: expected' in capsys.readouterr().err
