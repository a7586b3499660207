"""Recipes, and a whole compression that is stopped and goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from helpers.configs import CONFIGS
from helpers.prunable import scramble
from helpers.toy import CONFIG

import pointkd.engine  # noqa: F401
from pointkd.compress import graphs
from pointkd.core.errors import ConfigError, DataError
from pointkd.io.build import build_model
from pointkd.io.checkpoints import read_checkpoint, save_checkpoint
from pointkd.io.config import load_config
from pointkd.report.compression import stages
from pointkd.report.compression.page import accuracy_rows, write_report
from pointkd.report.compression.recipe import Recipe
from pointkd.report.compression.run import compress

RECIPE = {
    'sparse': {
        'hook': {'strength': 0.05, 'kind': 'proximal', 'layers': ['body']},
        'options': ['train_cfg.max_epochs=2'],
    },
    'pruned': {'ratio': 0.5, 'multiple': 1, 'runs': 2},
    'fine_tuned': {'options': ['train_cfg.max_epochs=2']},
    'export': {},
}
SIZE = (8, 8)


@pytest.fixture
def dense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A toy net that pruning knows, as a config and a checkpoint."""
    torch.set_num_threads(1)
    monkeypatch.setitem(
        graphs.KINDS, 'ToyNet', lambda network: graphs.image_graph(lambda net, inputs: net.head(net.body(inputs)))
    )
    (tmp_path / 'toy.py').write_text(CONFIG)
    torch.manual_seed(0)
    network = build_model(load_config(tmp_path / 'toy.py'))
    scramble(network)
    save_checkpoint(tmp_path / 'toy.pth', {'state_dict': network.state_dict()})
    return tmp_path / 'toy.py', tmp_path / 'toy.pth'


@pytest.mark.long
def test_a_stopped_compression_goes_on(dense, tmp_path, monkeypatch) -> None:
    out, said = tmp_path / 'out', []
    config, recipe = load_config(dense[0]), Recipe.parse(RECIPE)
    own = stages.prune_config
    with monkeypatch.context() as patch:
        patch.setattr(stages, 'prune_config', lambda *args, **kwargs: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            compress(config, dense[1], out, recipe, size=SIZE)
    assert stages.prune_config is own
    trained = (out / 'sparse' / 'last.pth').stat().st_mtime_ns
    page = compress(config, dense[1], out, recipe, size=SIZE, say=said.append)
    assert (out / 'sparse' / 'last.pth').stat().st_mtime_ns == trained
    assert said == ['sparse', 'pruned', 'fine-tuned', 'export']

    accuracy = json.loads((out / 'pruned' / 'accuracy.json').read_text())
    assert list(accuracy) == ['dense', 'sparse', 'pruned', 'fine-tuned']
    text = page.read_text()
    assert all(words in text for words in ('Scales of batch norms', 'data:image/png', 'fine-tuned', 'body.0'))
    small = load_config(out / 'pruned' / 'pruned.py')
    weights = read_checkpoint(out / 'fine-tuned' / 'last.pth')['state_dict']
    build_model(small).load_state_dict(weights, strict=True)
    assert weights['body.0.weight'].shape[0] == 2
    assert (out / 'export' / 'model.onnx').stat().st_size > 0
    assert json.loads((out / 'export' / 'stage.json').read_text())['result']['largest_difference'] < 1e-3

    other = Recipe.parse({**RECIPE, 'pruned': {'ratio': 0.25, 'multiple': 1, 'runs': 2}})
    with pytest.raises(ConfigError, match='pruned: was made with other settings'):
        compress(config, dense[1], out, other, size=SIZE)


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ({}, 'has no stage `pruned`'),
        ({'pruned': {'ratio': 0.5}, 'prune': {}}, "no stage 'prune': did you mean 'pruned'"),
        ({'pruned': {'ration': 0.5}}, "no setting 'ration': did you mean 'ratio'"),
        ({'pruned': {'ratio': 0.5}, 'distilled': {}}, 'distilled: has no methods'),
        ({'pruned': 0.5}, 'expected a dict'),
    ],
)
def test_a_wrong_recipe(content: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Recipe.parse(content)


def test_a_recipe_that_is_no_file(tmp_path) -> None:
    with pytest.raises(ConfigError, match='no such recipe'):
        Recipe.read(tmp_path / 'none.py')
    (tmp_path / 'bad.py').write_text('pruned = dict(')
    with pytest.raises(ConfigError, match='can not be read'):
        Recipe.read(tmp_path / 'bad.py')


def test_the_shipped_recipe_fits_its_config() -> None:
    recipe = Recipe.read(CONFIGS / 'yolov8' / 'recipes' / 'visdrone_m.py')
    assert recipe.pruned.ratio == 0.5
    assert recipe.pruned.input_size == (640, 640)
    config = load_config(CONFIGS / 'yolov8' / 'yolov8_m_visdrone.py')
    for stage in (recipe.sparse, recipe.fine_tuned, recipe.distilled):
        assert stage is not None
        stages.apply_options(config._cfg_dict, stage.options)
    assert config.train_cfg.max_epochs == config.param_scheduler[0].end == 100
    assert recipe.distilled is not None
    assert [method['student'] for method in recipe.distilled.methods] == ['neck[0]', 'neck[1]', 'neck[2]']


def test_stages_of_a_report_stand_in_their_order() -> None:
    accuracy = {'distilled': {'AP': 3.0}, 'dense': {'AP': 4.0, 'AR': 5.0}, 'other': {}}
    assert accuracy_rows(accuracy) == [['dense', 4.0, 5.0], ['distilled', 3.0, None], ['other', None, None]]


def test_a_report_without_a_record(tmp_path) -> None:
    with pytest.raises(DataError, match=r'prune\.json'):
        write_report(tmp_path)
