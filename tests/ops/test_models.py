"""Stock mmdet3d networks on our ops give the values that they give on mmcv's compiled ones."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from pointkd.ops import sparse, standin

standin.install()
sparse.prepare()
mmdet3d = pytest.importorskip('mmdet3d')

from mmdet3d.registry import MODELS  # noqa: E402
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.registry import DefaultScope  # noqa: E402
from mmengine.structures import InstanceData  # noqa: E402

STAGES = ('voxel_encoder', 'middle_encoder', 'backbone', 'neck', 'bbox_head')


def weight_by_rule(name, like):
    noise = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(like.numel()).reshape(like.shape)
    if name.endswith('running_var'):
        noise = np.exp(0.3 * noise)
    elif name.endswith(('running_mean', 'bias')):
        noise = 0.1 * noise
    elif like.ndim == 1:
        noise = 1 + 0.1 * noise
    else:
        noise = noise * np.sqrt(2 * like.shape[0] / like.numel())
    return torch.from_numpy(noise).to(like.dtype)


class Reference:
    """Golden values of one network, and the network itself."""

    def __init__(self, folder, name):
        self.values = np.load(folder / f'{name}.npz')
        self.meta = json.loads(str(self.values['meta']))
        self.cloud = {key: torch.from_numpy(value) for key, value in np.load(folder / 'cloud.npz').items()}
        config = Config.fromfile(Path(mmdet3d.__file__).parent / '.mim' / 'configs' / self.meta['config'])
        with DefaultScope.overwrite_default_scope('mmdet3d'):
            self.model = MODELS.build(config.model)
        state = self.model.state_dict()
        for key, value in state.items():
            if not key.endswith('num_batches_tracked'):
                value.copy_(weight_by_rule(key, value))

    def sample(self, mirror):
        """Return a data sample with the boxes, mirrored to the other side of the road or not."""
        boxes = self.cloud['gt_boxes'].clone()
        if mirror:
            boxes[:, [1, 6]] *= -1
        sample = Det3DDataSample(metainfo={'box_type_3d': LiDARInstance3DBoxes})
        sample.gt_instances_3d = InstanceData(
            bboxes_3d=LiDARInstance3DBoxes(boxes), labels_3d=self.cloud['gt_labels'].clone()
        )
        return sample

    def batch(self, training):
        """Return the preprocessed cloud, in training with the mirrored one beside it."""
        points = [self.cloud['points']]
        if training:
            points.append(self.cloud['points'][:8000] * torch.tensor([1.0, -1.0, 1.0, 1.0]))
        samples = [self.sample(bool(number)) for number in range(len(points))]
        raw = {'inputs': {'points': points}, 'data_samples': samples}
        return self.model.data_preprocessor(raw, training)


@pytest.fixture(scope='module', params=['pointpillars', 'second'])
def reference(request, golden):
    return Reference(golden / 'models', request.param)


@pytest.fixture(scope='module')
def inference(reference):
    """Outputs of every stage by name, the voxels, and the detections."""
    model, stages = reference.model.float().eval(), {}

    def keep(stage):
        def hook(_module, _inputs, output):
            outputs = [output] if isinstance(output, torch.Tensor) else output
            if stage in ('voxel_encoder', 'middle_encoder', 'neck'):
                stages[stage] = outputs[0]
            else:
                flat = [part[0] if isinstance(part, list | tuple) else part for part in outputs]
                stages.update({f'{stage}{number}': part for number, part in enumerate(flat)})

        return hook

    hooks = [getattr(model, stage).register_forward_hook(keep(stage)) for stage in STAGES]
    with torch.no_grad():
        batch = reference.batch(training=False)
        voxels = {
            key: value.clone() for key, value in batch['inputs']['voxels'].items()
        }  # the encoder writes into them
        detections = model(**batch, mode='predict')[0].pred_instances_3d
    for hook in hooks:
        hook.remove()
    return stages, voxels, detections


def test_parameters(reference):
    assert sum(parameter.numel() for parameter in reference.model.parameters()) == reference.meta['parameters']


@pytest.mark.long
def test_voxels(reference, inference):
    voxels, values = inference[1], reference.values
    assert np.array_equal(voxels['coors'].numpy(), values['voxels.coors'])
    if 'num_points' in voxels:
        assert np.array_equal(voxels['num_points'].numpy(), values['voxels.num_points'])
    total = voxels['voxels'].double().sum(dim=(0, 1)).numpy()
    np.testing.assert_allclose(total, values['voxels.sum'], rtol=1e-6)


@pytest.mark.long
def test_stages(reference, inference):
    stages, values = inference[0], reference.values
    assert sorted(stages) == sorted(key.split('.')[0] for key in values.files if key.endswith('.channel_sum'))
    for name, output in stages.items():
        assert list(output.shape) == values[f'{name}.shape'].tolist(), name
        axes = [axis for axis in range(output.ndim) if axis != 1]
        magnitude = values[f'{name}.channel_abs_sum']
        wide = output.double()
        np.testing.assert_allclose(wide.abs().sum(axes).numpy(), magnitude, rtol=1e-5, err_msg=name)
        difference = np.abs(wide.sum(axes).numpy() - values[f'{name}.channel_sum'])
        assert (difference <= 1e-5 * magnitude).all(), name
        samples = values[f'{name}.sample_value']
        found = output.contiguous().flatten()[torch.from_numpy(values[f'{name}.sample_index'])].numpy()
        assert np.abs(found - samples).max() <= 1e-5 * np.abs(samples).max(), name


@pytest.mark.long
def test_heads_and_boxes(reference, inference):
    stages, _, detections = inference
    values = reference.values
    for number, name in enumerate(('head_cls', 'head_bbox', 'head_dir')):
        np.testing.assert_allclose(
            stages[f'bbox_head{number}'][0, :, ::4, ::4].numpy(), values[name], rtol=0, atol=1e-5
        )
    np.testing.assert_allclose(detections.scores_3d.numpy(), values['scores'], rtol=0, atol=1e-5)
    # Scores closer than their rounding may change places: look for each box among the reference boxes of its score.
    boxes, labels = detections.bboxes_3d.tensor.numpy(), detections.labels_3d.numpy()
    for box, label, score in zip(boxes, labels, detections.scores_3d.numpy(), strict=True):
        equals = np.abs(values['scores'] - score) <= 1e-5
        difference = np.abs(values['boxes'][equals] - box).max(axis=1)
        assert difference.min() <= 1e-4
        assert values['labels'][equals][difference.argmin()] == label


def training_step(reference):
    model = reference.model.train().double()
    model.zero_grad()
    batch = reference.batch(training=True)
    voxels = batch['inputs']['voxels']
    voxels['voxels'] = voxels['voxels'].double()
    losses = {name: sum(parts) for name, parts in model(**batch, mode='loss').items()}
    sum(losses.values()).backward()
    return {name: loss.item() for name, loss in losses.items()}, dict(model.named_parameters())


def compare_training(reference):
    losses, parameters = training_step(reference)
    assert losses == pytest.approx(reference.meta['losses'], rel=1e-6)
    assert set(parameters) == set(reference.meta['gradient_norm'])
    for name, parameter in parameters.items():
        norm = reference.meta['gradient_norm'][name]
        assert float(parameter.grad.norm()) == pytest.approx(norm, rel=1e-9), name
        assert float(parameter.grad.sum()) == pytest.approx(reference.meta['gradient_sum'][name], abs=1e-9 * norm), name


@pytest.mark.long
def test_training_pointpillars(golden):
    compare_training(Reference(golden / 'models', 'pointpillars'))


@pytest.mark.slow
def test_training_second(golden):
    compare_training(Reference(golden / 'models', 'second'))
