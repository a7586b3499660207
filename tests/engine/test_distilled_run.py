"""A distilled detector through the whole engine: mixed precision, EMA, accumulation, clipping, best by official AP."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers.nets import pillars_config, write_teacher
from helpers.small_kitti import make_scenes, small_kitti

import pointkd.engine  # noqa: F401
from pointkd.engine.train import train
from pointkd.io.build import build_model
from pointkd.io.checkpoints import read_checkpoint
from pointkd.io.config import load_config

BEST = 'Kitti metric/pred_instances_3d/KITTI/Overall_3D_AP40_moderate'


@pytest.mark.long
@pytest.mark.parametrize('amp', [False, True])
def test_a_distilled_run_leaves_the_plain_student_and_the_best(amp: bool, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    scenes = make_scenes(tmp_path / 'kitti', scenes=5)
    methods = [
        dict(type='TeacherInit'),
        dict(type='LocalGraph', student='voxel_encoder', samples=50, neighbors=4, share=0.3),
        dict(type='Logits', student='bbox_head', schedule=dict(type='Until', end=0.5)),
    ]
    settings = small_kitti(
        scenes,
        width=4,
        pasting=False,
        distill=dict(teacher=write_teacher(tmp_path, pillars_config(8)), methods=methods),
        custom_hooks=[dict(type='EMAHook', momentum=0.1)],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1, save_best=BEST, rule='greater')),
    )
    settings.optim_wrapper.accumulative_counts = 2
    runner = train(settings, tmp_path / 'run', amp=amp)

    assert list((tmp_path / 'run').glob('best_*Overall_3D_AP40_moderate*.pth'))
    content = read_checkpoint(tmp_path / 'run' / 'last.pth')
    assert not [name for name in content['state_dict'] if 'adapters' in name]
    build_model(load_config(tmp_path / 'run' / 'config.py'), tmp_path / 'run' / 'last.pth')
    assert set(content['distill']['terms']) == {'teacher_init', 'local_graph', 'logits'}
    assert content['distill']['terms']['local_graph']['balance']['ratio'] > 0
    assert {'state_dict', 'ema_state_dict'} <= set(content)
    scalars = runner.message_hub.log_scalars
    assert float(scalars['train/loss_logits'].current()) == 0.0  # switched off after half the run
    for value in scalars['train/loss_local_graph'].data[0]:
        assert torch.isfinite(torch.tensor(float(value)))
