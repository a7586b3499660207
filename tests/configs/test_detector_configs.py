"""Configs of stock image detectors: mmdet's own nets and training, a step with every method, a whole run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.configs import CONFIGS, DISTILLED, config, differences
from helpers.small_data import write_coco
from mmengine.config import Config

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from pointkd.cli.main import main
from pointkd.distill.distiller import Distiller
from pointkd.io.build import build_model
from pointkd.io.checkpoints import read_checkpoint, save_checkpoint
from pointkd.io.config import load_config
from pointkd.io.dummy import dummy_batch

STOCK = {
    'retinanet/retinanet-r101_coco.py': 'retinanet/retinanet_r101_fpn_1x_coco.py',
    'retinanet/retinanet-r18_coco.py': 'retinanet/retinanet_r18_fpn_1x_coco.py',
    'faster_rcnn/faster-rcnn-r101_coco.py': 'faster_rcnn/faster-rcnn_r101_fpn_1x_coco.py',
}
METHODS = ('channel-wise', 'pkd', 'fgd')
NETS = ('retinanet/retinanet', 'faster_rcnn/faster-rcnn')
PAIRS = [f'{net}-r18_{method}_coco.py' for net in NETS for method in METHODS]
PAIRS.append('gfl/gfl-r18_ld_coco.py')
WIDTH = 16  # of neck and heads in these tests
HEADS = {
    'gfl': ['model.bbox_head.in_channels', 'model.bbox_head.feat_channels'],
    'retinanet': ['model.bbox_head.in_channels', 'model.bbox_head.feat_channels'],
    'faster_rcnn': [
        'model.rpn_head.in_channels',
        'model.rpn_head.feat_channels',
        'model.roi_head.bbox_roi_extractor.out_channels',
        'model.roi_head.bbox_head.in_channels',
        'model.roi_head.bbox_head.fc_out_channels',
    ],
}


def narrow(name: str, depth: int) -> list[str]:
    """Return options that leave a net a sixteenth of its widths."""
    stages = [4 * factor * (4 if depth > 34 else 1) for factor in (1, 2, 4, 8)]
    widths = ['model.neck.out_channels', *HEADS[name.partition('/')[0]]]
    body = ['+model.backbone.base_channels=4', '+model.backbone.stem_channels=4', f'model.neck.in_channels={stages}']
    width = 4 * WIDTH if name.startswith('gfl') else WIDTH  # its group norms have 32 groups
    return [*body, *(f'{key}={width}' for key in widths)]


@pytest.fixture(scope='module')
def teacher_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    """Return options that give a distilled config a narrow teacher with random weights."""
    folder = tmp_path_factory.mktemp('teachers')

    def options(name: str) -> list[str]:
        net = name.partition('-r18')[0]
        weights = folder / f'{Path(net).name}.pth'
        if not weights.exists():
            torch.manual_seed(0)
            path = CONFIGS / f'{net}-r101_coco.py'
            network = build_model(load_config(path, pretrained=False, options=narrow(net, 101)))
            save_checkpoint(weights, {'state_dict': network.state_dict()})
        return [f'distill.teacher.checkpoint={weights}', f'+distill.teacher.options={narrow(net, 101)}']

    return options


@pytest.mark.parametrize('name', STOCK)
def test_is_the_stock_net_with_the_stock_training(name: str) -> None:
    ours, stock = config(name), load_config(f'mmdet::{STOCK[name]}')
    blocks = ['model', 'optim_wrapper', 'param_scheduler', 'train_cfg', 'train_dataloader', 'val_dataloader']
    for block in [*blocks, 'val_evaluator', 'auto_scale_lr', 'default_scope']:
        one, other = ({block: plain(entry[block])} for entry in (ours, stock))
        assert not differences(one, other), block


def plain(value: object) -> object:
    """Return nested containers as dicts and lists."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def test_gfl_is_the_stock_net_on_another_backbone() -> None:
    stock = load_config('mmdet::gfl/gfl_r50_fpn_1x_coco.py')
    backbone = {'model.backbone.depth', 'model.backbone.init_cfg.checkpoint'}
    for net, changes in (('r101', backbone), ('r18', {*backbone, 'model.neck.in_channels'})):
        ours = config(f'gfl/gfl-{net}_coco.py')
        blocks = ('model', 'optim_wrapper', 'param_scheduler', 'train_cfg')
        one, other = ({block: plain(entry[block]) for block in blocks} for entry in (stock, ours))
        assert set(differences(one, other)) == changes


def test_faster_rcnns_student_is_the_teacher_on_another_backbone() -> None:
    changed = differences(*(plain(dict(config(f'faster_rcnn/faster-rcnn-{net}_coco.py'))) for net in ('r101', 'r18')))
    assert set(changed) == {'model.backbone.depth', 'model.backbone.init_cfg.checkpoint', 'model.neck.in_channels'}


def test_each_student_comes_with_each_method() -> None:
    assert set(PAIRS) <= set(DISTILLED)
    for name in PAIRS:
        teacher = config(name).distill.teacher.config
        assert (CONFIGS / name).with_name(teacher).is_file()
        assert teacher == Path(name).name.split('_')[0].replace('r18', 'r101') + '_coco.py'


def test_a_stock_config_can_teach_and_learn(tmp_path: Path) -> None:
    """Neither file is ours: the student's config is mmdet's with one block, the teacher's is named in the package."""
    options = narrow('retinanet', 101)
    weights = tmp_path / 'teacher.pth'
    stock = 'mmdet::retinanet/retinanet_r101_fpn_1x_coco.py'
    teacher = build_model(load_config(stock, pretrained=False, options=options))
    save_checkpoint(weights, {'state_dict': teacher.state_dict()})
    block = dict(
        teacher=dict(config=stock, checkpoint=str(weights), options=options),
        methods=[dict(type='PKD', student='neck', levels=[1, 1, 1, 1, 0], weight=10.0)],
    )
    student = tmp_path / 'student.py'
    student.write_text(f"_base_ = ['mmdet::retinanet/retinanet_r18_fpn_1x_coco.py']\ndistill = {block!r}\n")
    cfg = load_config(student, pretrained=False, options=narrow('retinanet', 18))
    distiller = Distiller(cfg.model, cfg.distill, cfg)
    losses = distiller.train()(**distiller.data_preprocessor(dummy_batch(cfg, batch_size=2), True), mode='loss')
    assert float(losses['loss_pkd']) > 0


@pytest.mark.parametrize('name', PAIRS)
def test_trains_a_step(name: str, teacher_of: Callable[[str], list[str]]) -> None:
    cfg: Config = load_config(CONFIGS / name, pretrained=False, options=[*narrow(name, 18), *teacher_of(name)])
    distiller = Distiller(cfg.model, cfg.distill, cfg)
    distiller.init_weights()
    losses = distiller.train()(**distiller.data_preprocessor(dummy_batch(cfg, batch_size=2), True), mode='loss')
    total, log = distiller.parse_losses(losses)
    total.backward()
    (term,) = distiller.adapters.terms
    assert torch.isfinite(total)
    assert float(log[f'loss_{term.name}']) > 0
    weighted = sum(weight > 0 for weight in term.settings.levels or ())
    assert sum(f'{term.name}/level_' in key for key in log) == weighted
    trained = [value for value in distiller.parameters() if value.requires_grad]
    assert all(value.grad is not None and value.grad.isfinite().all() for value in trained)
    build_model(cfg).load_state_dict(distiller.state_dict(), strict=True)


@pytest.mark.long
def test_a_distilled_detector_trains_resumes_and_is_tested(
    tmp_path: Path, teacher_of: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole way on made-up pictures, the teacher's own score first."""
    torch.set_num_threads(1)
    name = 'retinanet/retinanet-r18_fgd_coco.py'
    root = write_coco(tmp_path / 'coco')
    options = [
        *narrow(name, 18),
        *teacher_of(name),
        '+distill.teacher.check_ap=True',
        'train_dataloader.num_workers=0',
        'val_dataloader.num_workers=0',
        'test_dataloader.num_workers=0',
        'train_dataloader.dataset.pipeline.2.scale=(96, 64)',
        'val_dataloader.dataset.pipeline.1.scale=(96, 64)',
        'test_dataloader.dataset.pipeline.1.scale=(96, 64)',
        'train_dataloader.dataset.filter_cfg.min_size=8',
    ]
    common = [str(CONFIGS / name), '--data-root', str(root), '--no-pretrained']
    work = tmp_path / 'run'
    for epochs in (1, 2):
        run = ['train', *common, '--work-dir', str(work), '--resume', '--cfg-options', *options]
        assert main([*run, f'train_cfg.max_epochs={epochs}']) == 0
        content = read_checkpoint(work / 'last.pth')
        assert content['meta']['epoch'] == epochs
        assert set(content['distill']['terms']) == {'fgd'}
    assert not [key for key in content['state_dict'] if 'adapters' in key or 'contexts' in key]
    assert main(['test', common[0], str(work / 'last.pth'), *common[1:], '--cfg-options', *options]) == 0
    assert 'bbox_mAP' in capsys.readouterr().out
    build_model(load_config(work / 'config.py', pretrained=False), work / 'last.pth')


def test_complexity_of_a_detector(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(['complexity', str(CONFIGS / 'retinanet/retinanet-r18_coco.py'), '--image-size', '64', '96', '--json'])
        == 0
    )
    result = json.loads(capsys.readouterr().out)
    sides = {part: counts['params'] for part, counts in result['parts'].items()}
    assert sides['backbone'] == 11_176_512  # ResNet-18 without its classifier
    assert result['params'] == sum(sides.values())
    assert all(counts['macs'] > 0 for counts in result['parts'].values())
