"""The nets: sizes, a training step, boxes, export."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.yolov8 import small_model
from mmengine.structures import InstanceData

import pointkd.models.yolov8  # noqa: F401 - registers the nets
from pointkd.core.errors import ConfigError
from pointkd.io.build import build_module
from pointkd.io.dummy import dummy_batch
from pointkd.models.yolov8.functional import anchor_points, decode, expected_distances
from pointkd.models.yolov8.fuse import fused
from pointkd.models.yolov8.scale import SCALES, Scale


def build(**settings):
    torch.manual_seed(0)
    return build_module(small_model(**settings), 'mmdet')


def batch(model, size=2, training=True):
    return model.data_preprocessor(dummy_batch(small_model(), size), training)


def test_widths_and_repeats():
    assert [SCALES['m'].channels(width) for width in (64, 128, 256, 512, 1024)] == [48, 96, 192, 384, 576]
    assert [SCALES['x'].channels(width) for width in (64, 128, 256, 512, 1024)] == [80, 160, 320, 640, 640]
    assert [SCALES['m'].repeats(number) for number in (3, 6)] == [2, 4]
    assert Scale.of(dict(depth=1, width=1, max_channels=64)).channels(1024) == 64
    with pytest.raises(ConfigError, match="no net 'xl'"):
        Scale.of('xl')
    with pytest.raises(ConfigError, match='max_channels'):
        Scale.of(dict(depth=1, width=1))
    with pytest.raises(ConfigError, match='above 0'):
        Scale(0, 1, 64)
    with pytest.raises(ConfigError, match='num_classes'):
        build(classes=0)


def test_the_maps_have_the_strides_of_the_pyramid():
    model = build().eval()
    with torch.no_grad():
        maps = model.extract_feat(torch.zeros(2, 3, 64, 96))
        scores, bins = model.bbox_head(maps)
    assert [tuple(entry.shape[2:]) for entry in maps] == [(8, 12), (4, 6), (2, 3)]
    assert [tuple(entry.shape[:2]) for entry in scores + bins] == [(2, 3)] * 3 + [(2, 64)] * 3


@pytest.mark.parametrize('channels_last', [False, True])
def test_training_steps_lower_the_loss(channels_last):
    model = build(channels_last=channels_last).train()
    data = batch(model)
    optimiser = torch.optim.SGD(model.parameters(), lr=2e-3, momentum=0.9)
    history = []
    for _ in range(25):
        losses = model(**data, mode='loss')
        assert set(losses) == {'loss_cls', 'loss_bbox', 'loss_dfl'}
        total = sum(losses.values())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        history.append(float(total))
    assert history[-1] < 0.7 * history[0]
    assert model.bbox_head.bins.tolist() == list(range(16))


def test_the_memory_format_changes_nothing():
    plain, other = build().train(), build(channels_last=True).train()
    other.load_state_dict(plain.state_dict())
    data = batch(plain)
    one, two = plain(**data, mode='loss'), other(**data, mode='loss')
    for name, value in one.items():
        assert float(value) == pytest.approx(float(two[name]), rel=1e-4)


def test_the_loss_is_a_mean_times_the_images_or_a_nominal_number():
    model = build().train()
    data = batch(model)
    twice = {'inputs': data['inputs'].repeat(2, 1, 1, 1), 'data_samples': data['data_samples'] * 2}
    model.eval()  # batch statistics would mix the images
    once = model(**data, mode='loss')
    assert all(float(model(**twice, mode='loss')[name]) == pytest.approx(2 * float(once[name])) for name in once)
    model.bbox_head.nominal_batch = 64
    assert all(float(model(**data, mode='loss')[name]) == pytest.approx(32 * float(once[name])) for name in once)
    assert all(float(model(**twice, mode='loss')[name]) == pytest.approx(32 * float(once[name])) for name in once)


def test_images_without_objects_train_the_class_branches():
    model = build().train()
    data = batch(model)
    for sample in data['data_samples']:
        sample.gt_instances = sample.gt_instances[:0]
    losses = model(**data, mode='loss')
    assert float(losses['loss_bbox']) == float(losses['loss_dfl']) == 0
    sum(losses.values()).backward()
    for branch in model.bbox_head.class_branches:
        assert branch[-1].weight.grad.isfinite().all()
        assert branch[-1].weight.grad.abs().sum() > 0
    missing = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert missing == ['bbox_head.bins']  # every trained parameter takes part, as distributed training asks


def test_boxes_are_the_decoded_outputs():
    model = build().train()  # statistics of the batch spread the scores, which are all alike in a new net
    data = batch(model, 1, training=False)
    model.test_cfg = model.bbox_head.test_cfg = type(model.test_cfg)(
        score_thr=0.0, nms_pre=7, nms=dict(type='nms', iou_threshold=1.0), max_per_img=5
    )
    with torch.no_grad():
        maps = model.extract_feat(data['inputs'])
        scores, bins = model.bbox_head(maps)
        (found,) = model.bbox_head.predict(maps, data['data_samples'])
        boxes, probabilities = model.bbox_head.decoded(maps)
    points, stride = anchor_points([(8, 12), (4, 6), (2, 3)], (8, 16, 32), boxes)
    slow = torch.cat([level.flatten(2) for level in bins], 2)[0].view(4, 16, -1).permute(2, 0, 1)
    assert torch.allclose(boxes[0], decode(points, expected_distances(slow), stride), atol=1e-4)
    flat = torch.cat([level.flatten(2) for level in scores], 2)[0].sigmoid().t()
    assert torch.allclose(probabilities[0], flat)
    best, place = flat.flatten().topk(5)
    assert torch.allclose(found.scores, best)
    assert found.labels.tolist() == (place % 3).tolist()
    assert torch.allclose(found.bboxes, boxes[0][place // 3], atol=1e-4)


def test_boxes_go_back_into_the_original_image():
    model = build().eval()
    head = model.bbox_head
    scores = [torch.full((1, 3, side, side), -20.0) for side in (8, 4, 2)]
    bins = [torch.full((1, 64, side, side), -20.0) for side in (8, 4, 2)]
    scores[0][0, 1, 3, 4] = 2.0
    for side, distance in enumerate((2, 1, 3, 2)):  # point (36, 28): box 20, 20, 60, 44
        bins[0][0, 16 * side + distance, 3, 4] = 20.0
    meta = {'scale_factor': (0.5, 0.25), 'pad_offset': (4, 8), 'ori_shape': (200, 100)}
    (found,) = head.predict_by_feat(scores, bins, batch_img_metas=[meta], rescale=True)
    assert found.labels.tolist() == [1]
    assert found.bboxes[0].tolist() == pytest.approx([32, 48, 100, 144], abs=1e-3)  # 112 is beyond the image
    (plain,) = head.predict_by_feat(scores, bins, batch_img_metas=[meta])
    assert plain.bboxes[0].tolist() == pytest.approx([20, 20, 60, 44], abs=1e-3)
    nothing = head.predict_by_feat([level.fill_(-20) for level in scores], bins, batch_img_metas=[meta], rescale=True)
    assert isinstance(nothing[0], InstanceData)
    assert len(nothing[0]) == 0


@pytest.mark.parametrize('channels_last', [False, True])
def test_a_graph_gives_boxes_and_scores_of_any_batch(tmp_path, channels_last):
    import onnxruntime

    model = build(channels_last=channels_last).eval()
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        torch.onnx.export(
            model,
            (image,),
            str(tmp_path / 'net.onnx'),
            input_names=['images'],
            output_names=['boxes', 'scores'],
            dynamic_axes={'images': {0: 'batch'}},
            opset_version=17,
            dynamo=False,
        )
        images = torch.rand(2, 3, 64, 96)
        wanted = model.bbox_head.decoded(model.extract_feat(images))
    session = onnxruntime.InferenceSession(str(tmp_path / 'net.onnx'), providers=['CPUExecutionProvider'])
    found = session.run(None, {'images': images.numpy()})
    assert [entry.shape for entry in found] == [(2, 126, 4), (2, 126, 3)]
    for ours, theirs in zip(found, wanted, strict=True):
        assert torch.allclose(torch.from_numpy(ours), theirs, atol=1e-3, rtol=1e-4)


def test_new_weights_depend_on_the_seed_alone():
    first = build()
    torch.manual_seed(7)
    first.init_weights()
    weights = {name: value.clone() for name, value in first.state_dict().items()}
    second = build()
    torch.manual_seed(7)
    second.init_weights()
    assert all(torch.equal(value, weights[name]) for name, value in second.state_dict().items())
    assert not torch.equal(build().state_dict()['backbone.stem.conv.weight'], weights['backbone.stem.conv.weight'])
    biases = [float(branch[-1].bias[0].detach()) for branch in second.bbox_head.class_branches]
    assert biases == pytest.approx([math.log(5 / 3 / (640 / stride) ** 2) for stride in (8, 16, 32)])
    assert {float(branch[-1].bias[0].detach()) for branch in second.bbox_head.box_branches} == {1.0}


def test_folded_norms_change_nothing():
    model = build(channels_last=True).train()
    data = batch(model)
    for _ in range(3):  # statistics of their own
        model(**data, mode='loss')
    quick = fused(model)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in quick.modules())
    assert model.training
    assert any(isinstance(layer, torch.nn.BatchNorm2d) for layer in model.modules())
    images = data['inputs'].clone()
    with torch.no_grad():
        for ours, theirs in zip(quick(images), model.eval()(images), strict=True):
            for one, other in zip(ours, theirs, strict=True):
                assert torch.allclose(one, other, atol=1e-4)
    assert torch.equal(images, data['inputs'])
