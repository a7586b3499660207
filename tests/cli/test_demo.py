"""`pointkd demo`: two demos, each with options of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointkd.cli.main import main
from pointkd.report.demo import yolo
from pointkd.report.demo.yolo import YoloSettings


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['yolo', '--scenes', '20'], 'demo yolo takes no --scenes'),
        (['yolo', '--amp', 'on'], 'demo yolo takes no --amp'),
        (['--images', '20'], 'demo points takes no --images'),
        (['yolo', '--images', '7'], '--images 7: at least 8'),
    ],
)
def test_an_option_of_the_other_demo_is_refused(words: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    assert main(['demo', *words]) == 2
    assert message in capsys.readouterr().err


def test_yolo_says_what_it_does_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(yolo, 'command', lambda *words: commands.append([str(word) for word in words]))
    words = ['demo', 'yolo', '--images', '40', '--iterations', '21', '--work-dir', str(tmp_path)]
    assert main(words) == 0
    assert [command[0] for command in commands] == ['create-data', 'create-data', 'train', 'compress']
    assert 'train_cfg.max_iters=21' in commands[2]
    assert '--resume' not in commands[2]
    assert capsys.readouterr().out.splitlines()[-1].endswith(str(tmp_path / 'compressed' / 'report.html'))
    from pointkd.report.compression.recipe import Recipe

    recipe = Recipe.read(YoloSettings(tmp_path).recipe)
    for stage in (recipe.sparse, recipe.fine_tuned, recipe.distilled):
        assert stage is not None
        assert 'train_cfg.max_iters=10' in stage.options
    assert recipe.distilled is not None
    assert recipe.distilled.methods
    (tmp_path / 'dense').mkdir()
    (tmp_path / 'dense' / 'last.pth').touch()
    assert main(words) == 0
    assert '--resume' in commands[6]


@pytest.mark.slow
def test_yolo_the_whole_way(tmp_path: Path) -> None:
    words = ['demo', 'yolo', '--images', '10', '--iterations', '8', '--work-dir', str(tmp_path)]
    assert main(words) == 0
    out = tmp_path / 'compressed'
    page = (out / 'report.html').read_text()
    for stage in ('dense', 'sparse', 'pruned', 'fine-tuned', 'distilled'):
        assert f'>{stage}<' in page, stage
    assert (out / 'export' / 'model.onnx').is_file()
    before = (out / 'distilled' / 'last.pth').stat().st_mtime_ns
    assert main(words) == 0  # everything is done: nothing is trained again
    assert (out / 'distilled' / 'last.pth').stat().st_mtime_ns == before
