"""Reading configs: stock files, wrong names, data roots, pretrained weights, overrides."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pointkd.core.errors import CheckpointError, ConfigError
from pointkd.io.blocks import check_names
from pointkd.io.config import load_config, package_configs
from pointkd.io.hub import explained_downloads, hub_references
from pointkd.io.tree import walk

POINTPILLARS = 'mmdet3d::pointpillars/pointpillars_hv_secfpn_8xb6-160e_kitti-3d-3class.py'
RETINANET = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'
PSPNET = 'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'
BASE = "data_root = 'data/toy/'\nmodel = dict(type='Net', width=3)\ntrain_cfg = dict(max_epochs=2)\n"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Path of a small config."""
    (tmp_path / 'base.py').write_text(BASE)
    return tmp_path / 'base.py'


def child(base: Path, text: str) -> Path:
    """Write a config beside another and return its path."""
    file = base.parent / 'child.py'
    file.write_text(text)
    return file


# -- files ---------------------------------------------------------------------------------------------------------


def test_bases_are_merged_across_packages(base: Path) -> None:
    config = load_config(child(base, f"_base_ = ['{POINTPILLARS}']\nmodel = dict(bbox_head=dict(num_classes=1))\n"))
    assert config.model.bbox_head.num_classes == 1
    assert config.model.voxel_encoder.feat_channels == [64]
    assert config.filename == str(base.parent / 'child.py')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ("_base_ = 'bse.py'\n", r"_base_ bse\.py: no such config file: did you mean 'base\.py'"),
        ("_base_ = ['base.py', 'more/base.py']\n", r'the folder .*more does not exist'),
        (
            "_base_ = 'mmdet3d::second/second_hv_secfp_8xb6-80e_kitti-3d-car.py'\n",
            r"no such config file: did you mean 'second_",
        ),
        ("_base_ = 'mmdt3d::a.py'\n", r"package 'mmdt3d' is not installed"),
        ("_base_ = 'child.py'\n", r'is its own _base_'),
        ('model = dict(\n', r'child\.py:1: is not valid Python'),
        ("model = dict(width={{_base_.nothing}})\n_base_ = 'base.py'\n", r'child\.py: can not be read'),
        ('model = missing_name\n', r'child\.py: can not be read: NameError'),
        (
            "_base_ = 'base.py'\ndistil = dict(methods=[])\n",
            r"nothing reads the block 'distil': did you mean 'distill'",
        ),
        ('reliabilty = dict(max_bad_frames=3)\n', r"did you mean 'reliability'"),
        ("optim_wraper = dict(type='OptimWrapper')\n", r"did you mean 'optim_wrapper'"),
    ],
)
def test_wrong_file_is_named(base: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(child(base, text))


def test_missing_file_names_the_nearest(base: Path) -> None:
    with pytest.raises(ConfigError, match=r"bas\.py: no such config file: did you mean 'base\.py'"):
        load_config(base.parent / 'bas.py')
    with pytest.raises(ConfigError, match='is a folder'):
        load_config(base.parent)
    (base.parent / 'notes.txt').write_text('model')
    with pytest.raises(ConfigError, match='a config ends with one of'):
        load_config(base.parent / 'notes.txt')


def test_yaml_with_a_base(base: Path) -> None:
    file = base.parent / 'child.yaml'
    file.write_text('_base_: base.py\nmodel:\n  width: 5\n')
    assert load_config(file).model.width == 5
    file.write_text('_base_: bse.py\n')
    with pytest.raises(ConfigError, match=r'no such config file'):
        load_config(file)


def test_no_stock_config_is_taken_for_a_slip() -> None:
    for package in ('mmdet', 'mmdet3d', 'mmseg'):
        for file in package_configs(package, '').rglob('*.py'):
            body = ast.parse(file.read_text(encoding='utf-8')).body
            names = {
                name.id for node in body if isinstance(node, ast.Assign) for name in node.targets if hasattr(name, 'id')
            }
            # what these two write beside the inherited blocks is never read: slips of theirs, harmless
            check_names(names - {'eval_dataloader', 'models'}, str(file))


# -- data root -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(('config', 'count'), [(POINTPILLARS, 12), (RETINANET, 6), (PSPNET, 4)])
def test_every_path_follows_the_data_root(config: str, count: int, tmp_path: Path) -> None:
    resolved = load_config(config, data_root=str(tmp_path), pretrained=False)
    texts = [value for _, value in walk(resolved._cfg_dict) if isinstance(value, str)]
    assert not [text for text in texts if text.startswith(('data/', './data'))]
    assert len([text for text in texts if text.startswith(str(tmp_path))]) == count


def test_wrappers_prefixes_and_evaluators_follow(tmp_path: Path, base: Path) -> None:
    text = """
data_root = './data/toy'
inner = dict(type='A', data_root='data/toy/', ann_file='a.json', data_prefix=dict(img='data/toy/images/'))
other = dict(type='A', data_root='data/toy/second', ann_file='data/toy/second/b.json')
train_dataloader = dict(dataset=dict(type='CBGSDataset', dataset=dict(type='RepeatDataset', dataset=dict(
    type='ConcatDataset', datasets=[inner, other]))))
val_evaluator = [dict(type='M', ann_file='data/toy/v.json'), dict(type='N', files=('data/toy', 'data/toys'))]
"""
    config = load_config(child(base, text), data_root=str(tmp_path))
    first, second = config.train_dataloader.dataset.dataset.dataset.datasets
    assert first.data_root == f'{tmp_path}/'
    assert first.ann_file == 'a.json'
    assert first.data_prefix.img == f'{tmp_path}/images/'
    assert second.ann_file == f'{tmp_path}/second/b.json'
    assert config.val_evaluator[0].ann_file == f'{tmp_path}/v.json'
    assert config.val_evaluator[1].files == (str(tmp_path), 'data/toys')


def test_impossible_data_roots(tmp_path: Path, base: Path) -> None:
    with pytest.raises(ConfigError, match='no such folder'):
        load_config(base, data_root=str(tmp_path / 'nowhere'))
    with pytest.raises(ConfigError, match='has no `data_root`'):
        load_config(child(base, "model = dict(type='A')\n"), data_root=str(tmp_path))
    with pytest.raises(ConfigError, match='reads several data sets'):
        load_config(child(base, "a = dict(data_root='x')\nb = dict(data_root='y')\n"), data_root=str(tmp_path))


# -- pretrained weights --------------------------------------------------------------------------------------------


def test_pretrained_is_dropped(base: Path) -> None:
    assert hub_references(load_config(RETINANET)._cfg_dict) == {
        'model.backbone.init_cfg.checkpoint': 'torchvision://resnet18'
    }
    assert hub_references(load_config(PSPNET)._cfg_dict) == {'model.pretrained': 'open-mmlab://resnet18_v1c'}
    for config in (RETINANET, PSPNET):
        assert hub_references(load_config(config, pretrained=False)._cfg_dict) == {}
    text = """
load_from = 'https://example.org/a.pth'
model = dict(init_cfg=[dict(type='Pretrained', checkpoint='http://a/b.pth'), dict(type='Xavier')],
    neck=dict(init_cfg=dict(type='Pretrained', checkpoint='local.pth')))
"""
    config = load_config(child(base, text), pretrained=False)
    assert config.load_from is None
    assert config.model.init_cfg == [dict(type='Xavier')]
    assert config.model.neck.init_cfg.checkpoint == 'local.pth'


def test_unreachable_weights_name_the_option() -> None:
    config = {'model': {'pretrained': 'open-mmlab://resnet18_v1c'}}
    with (
        pytest.raises(CheckpointError, match=r'model\.pretrained = open-mmlab.*--no-pretrained'),
        explained_downloads(config),
    ):
        raise ConnectionError('no route to host')
    with pytest.raises(CheckpointError, match='--no-pretrained'), explained_downloads(config):
        raise ModuleNotFoundError("No module named 'torchvision'")
    with pytest.raises(ValueError, match='something else'), explained_downloads(config):
        raise ValueError('something else')
    with pytest.raises(ConnectionError), explained_downloads({}):
        raise ConnectionError('not ours')


# -- overrides -----------------------------------------------------------------------------------------------------


def test_options_change_existing_keys(base: Path) -> None:
    options = [
        'model.width=5',
        'train_cfg.max_epochs=80',
        "+model.neck=dict(type='FPN', levels=(1, 2))",
        '+val_cfg.a.b=x',
    ]
    config = load_config(base, options=options)
    assert config.model.width == 5
    assert config.model.neck.levels == (1, 2)
    assert config.val_cfg.a.b == 'x'
    config = load_config(POINTPILLARS, options=['train_dataloader.dataset.dataset.pipeline.0.load_dim=5'])
    assert config.train_dataloader.dataset.dataset.pipeline[0].load_dim == 5
    assert config.train_dataloader.dataset.dataset.pipeline[2].db_sampler.points_loader.load_dim == 4


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('model.widht=5', r"model has no 'widht': did you mean 'width'.*write \+model\.widht"),
        ('modl.width=5', r"the config has no 'modl': did you mean 'model'"),
        ('model.max_epochs=3', r'such a key stands at train_cfg\.max_epochs'),
        ('model.width.deep=3', r"model\.width has no 'deep'"),
        ('model.width', 'expected KEY=VALUE'),
        ('=3', 'expected KEY=VALUE'),
        ('data_root=elsewhere', r"'data_root' is a variable of the config file.*--data-root"),
        ('+distil=dict(methods=[])', r"nothing reads the block 'distil'"),
    ],
)
def test_option_that_would_do_nothing_is_refused(base: Path, option: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(base, options=[option])


def test_option_for_a_list(base: Path) -> None:
    file = child(base, "param_scheduler = [dict(type='A', end=1), dict(type='B', end=2)]\n")
    assert load_config(file, options=['param_scheduler.1.end=7']).param_scheduler[1].end == 7
    assert load_config(file, options=["param_scheduler.0=dict(type='C')"]).param_scheduler[0].type == 'C'
    with pytest.raises(ConfigError, match=r"param_scheduler has no '2': choose one of: 0, 1"):
        load_config(file, options=['param_scheduler.2.end=7'])


def test_variable_of_the_file_names_its_users() -> None:
    with pytest.raises(ConfigError, match=r'set train_dataloader\.dataset\.dataset\.pipeline.* instead'):
        load_config(POINTPILLARS, options=['train_pipeline.0.load_dim=5'])
