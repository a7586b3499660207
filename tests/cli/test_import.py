import pytest
import torch
from helpers.public_yolov8 import public_names, write_public_file

from pointkd.cli.main import main, verb_module, verbs


@pytest.fixture(scope='module')
def net():
    import pointkd.models.yolov8  # noqa: F401 - registers the net
    from pointkd.cli._import_yolov8 import plain_config
    from pointkd.io.build import build_model

    torch.manual_seed(0)
    model = build_model(plain_config('n', 2))
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    return model


def test_the_verb_is_a_word_of_python():
    assert 'import' in verbs()
    assert not any(verb.endswith(('-', '_')) for verb in verbs())
    assert verb_module('import').__name__ == 'pointkd.cli.import_'


def test_a_file_of_the_public_layout(tmp_path, net, capsys):
    from pointkd.io.checkpoints import load_weights, read_checkpoint

    file, out = tmp_path / 'yolov8n.pt', tmp_path / 'out' / 'ours.pth'
    write_public_file(file, public_names(net.state_dict()), ['cat', 'dog'])
    assert main(['import', 'yolov8', str(file), '--out', str(out)]) == 0
    count = sum(parameter.numel() for parameter in net.parameters())
    assert f'YOLOv8n, 2 classes, {count:,} parameters' in capsys.readouterr().out
    content = read_checkpoint(out)
    assert content['meta']['dataset_meta'] == {'classes': ['cat', 'dog']}
    for name, tensor in net.state_dict().items():
        kept = tensor.half().float() if tensor.is_floating_point() else tensor
        assert torch.equal(content['state_dict'][name], kept), name
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        wanted = net(images)
        load_weights(net, out)
        found = net(images)
    for ours, theirs in zip(found[0] + found[1], wanted[0] + wanted[1], strict=True):
        assert torch.allclose(ours, theirs, atol=0.05)  # half precision


def test_averaged_weights_come_first_and_the_default_name_is_beside(tmp_path, net):
    from pointkd.io.checkpoints import read_checkpoint

    weights = public_names(net.state_dict())
    write_public_file(
        tmp_path / 'a.pt', weights, ['cat', 'dog'], ema={name: 0 * value for name, value in weights.items()}
    )
    assert main(['import', 'yolov8', str(tmp_path / 'a.pt')]) == 2  # the bins of that average are 0
    plain = {name: value if 'dfl' in name else 0 * value for name, value in weights.items()}
    write_public_file(tmp_path / 'a.pt', weights, ['cat', 'dog'], ema=plain)
    assert main(['import', 'yolov8', str(tmp_path / 'a.pt')]) == 0
    assert not read_checkpoint(tmp_path / 'a.pth')['state_dict']['backbone.stem.conv.weight'].any()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda weights: {**weights, 'model.22.cv4.0.0.conv.weight': torch.ones(1)}, 'segmentation, pose'),
        (lambda weights: {key: value for key, value in weights.items() if '.9.cv1.bn.bias' not in key}, '1 missing'),
        (lambda weights: {**weights, 'model.9.cv1.bn.bias': torch.ones(3)}, '1 misshapen'),
        (lambda weights: {'model.0.conv.weight': torch.ones(16, 3, 3, 3)}, 'no YOLOv8 detector'),
    ],
)
def test_files_of_other_nets_are_refused_and_nothing_is_written(tmp_path, net, capsys, change, message):
    write_public_file(tmp_path / 'a.pt', change(public_names(net.state_dict())), ['cat', 'dog'])
    assert main(['import', 'yolov8', str(tmp_path / 'a.pt')]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert 'a.pt' in error
    assert not (tmp_path / 'a.pth').exists()


def test_the_file_itself_is_never_overwritten(tmp_path, net, capsys):
    file = tmp_path / 'a.pt'
    write_public_file(file, public_names(net.state_dict()), [])
    before = file.read_bytes()
    assert main(['import', 'yolov8', str(file), '--out', str(file)]) == 2
    assert 'is the file to read' in capsys.readouterr().err
    assert file.read_bytes() == before
