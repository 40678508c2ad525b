import copy
from dataclasses import replace

import pytest
import torch
from mmengine.structures import PixelData

from helpers.monte_carlo import build, perturbed, predict, samples
from helpers.networks import NUM_CLASSES, build_segmentor
from mmseg_abnn.conversion import convert_to_abnn
from mmseg_abnn.models.layers import Draw, bayesian_layers, hold_draw
from mmseg_abnn.models.member_bank import MemberBank, applied
from mmseg_abnn.models.segmentors import mc_encoder_decoder


@pytest.fixture
def x():
    return torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))


def test_mean_of_probabilities_over_members_and_draws(x):
    model = build(test_cfg=dict(mode='whole', num_samples=2, seed=5))
    members = [perturbed(model, 0), perturbed(model, 1), perturbed(model, 2)]
    model.set_members(members)
    result = predict(model, x, samples(2, ori_shape=(64, 96)))

    # the oracle: M full copies of the network, every draw kept, resized to the original image
    all_p, all_logits = [], []
    for m, member in enumerate(members):
        network = copy.deepcopy(model)
        network.load_state_dict({**network.state_dict(), **member})
        for index in range(2):
            with torch.no_grad(), hold_draw(network, Draw(5, m, index)):
                logits = network.encode_decode(x, [dict(img_shape=(32, 48))] * 2)
            logits = torch.nn.functional.interpolate(logits, (64, 96), mode='bilinear')
            all_p.append(logits.softmax(dim=1))
            all_logits.append(logits)
    all_p, all_logits = torch.stack(all_p), torch.stack(all_logits)
    mean = all_p.mean(dim=0)
    entropy = -(mean * mean.log()).sum(dim=1)
    expected_entropy = -(all_p * all_p.log()).sum(dim=2).mean(dim=0)
    for i, sample in enumerate(result):
        assert sample.seg_logits.data.shape == (NUM_CLASSES, 64, 96)
        torch.testing.assert_close(sample.seg_logits.data.softmax(dim=0), mean[i])
        torch.testing.assert_close(sample.seg_logits.data, mean[i].log(), rtol=1e-4, atol=1e-5)
        assert torch.equal(sample.pred_sem_seg.data, mean[i].argmax(dim=0, keepdim=True))
        maps = sample.uncertainty
        torch.testing.assert_close(maps.expected_entropy[0], expected_entropy[i])
        difference = entropy[i] - expected_entropy[i]
        torch.testing.assert_close(maps.mutual_information[0], difference, rtol=1e-4, atol=2e-6)
        most = all_p[:, i].argmax(dim=1).mode(dim=0)
        agreeing = (all_p[:, i].argmax(dim=1) == most.values).float().mean(dim=0)
        torch.testing.assert_close(maps.variation_ratio[0], 1 - agreeing)
        of_image = all_logits[:, i]
        torch.testing.assert_close(maps.max_logit[0], -of_image.amax(dim=1).mean(dim=0))
        energy = -of_image.double().exp().sum(dim=1).log().mean(dim=0)
        torch.testing.assert_close(maps.energy[0].double(), energy, rtol=1e-5, atol=1e-5)


def test_without_noise_it_is_the_deterministic_segmentor(x):
    plain = build_segmentor()
    model = build(alpha=0.0)
    data = samples(2, ori_shape=(40, 60), flip=True, flip_direction='horizontal')
    expected = predict(plain, x, copy.deepcopy(data))
    for got, want in zip(predict(model, x, data), expected, strict=True):
        torch.testing.assert_close(
            got.seg_logits.data, want.seg_logits.data.log_softmax(dim=0), rtol=1e-4, atol=1e-5
        )
        assert torch.equal(got.pred_sem_seg.data, want.pred_sem_seg.data)


@pytest.mark.parametrize('alpha', [0.0, 0.2])
def test_slide_inference_shares_the_draw_between_windows(x, alpha):
    model = build(alpha, dict(mode='slide', crop_size=(32, 32), stride=(32, 16), num_samples=2))
    result = predict(model, x, samples(2, ori_shape=(32, 48)))
    # the oracle: both windows by hand, under one draw each, logits averaged where they overlap
    mean = 0
    for index in range(2):
        with torch.no_grad(), hold_draw(model, Draw(0, 0, index)):
            left, right = (
                model.encode_decode(x[..., s : s + 32], [dict(img_shape=torch.Size((32, 32)))])
                for s in (0, 16)
            )
        both = (left[..., 16:] + right[..., :16]) / 2
        logits = torch.cat([left[..., :16], both, right[..., 16:]], dim=-1)
        mean = mean + logits.softmax(dim=1) / 2
    for i, sample in enumerate(result):
        torch.testing.assert_close(sample.seg_logits.data.softmax(dim=0), mean[i])


def test_one_seed_gives_one_result_and_another_seed_another(x):
    model = build()
    first = [s.seg_logits.data for s in predict(model, x)]
    again = [s.seg_logits.data for s in predict(model, x)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    model.prediction = replace(model.prediction, seed=1)
    other = [s.seg_logits.data for s in predict(model, x)]
    assert not torch.allclose(first[0], other[0])


def test_results_do_not_depend_on_the_batch(x):
    model = build()
    together = predict(model, x)
    for i, sample in enumerate(together):
        alone = predict(model, x[i : i + 1])[0]
        torch.testing.assert_close(alone.seg_logits.data, sample.seg_logits.data)


def test_probabilities_that_underflow_stay_finite(x):
    model = build()
    with torch.no_grad():
        model.decode_head.conv_seg.weight.mul_(1e4)
    for sample in predict(model, x):
        assert torch.isfinite(sample.seg_logits.data).all()
        assert torch.isfinite(sample.uncertainty.mutual_information).all()
        assert torch.isfinite(sample.uncertainty.expected_entropy).all()


def test_members_cost_their_own_parameters_only():
    model = build()
    before = sum(p.numel() for p in model.parameters())
    model.set_members([perturbed(model, 0), perturbed(model, 1)])
    banks = sum(b.numel() for member in model.members for b in member.buffers())
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert sum(p.numel() for p in model.parameters()) == before
    assert banks == 2 * trainable < 0.05 * before


def test_members_come_with_the_state_dict_of_the_network():
    model, other = build(), build()
    members = [perturbed(model, 0), perturbed(model, 1)]
    model.set_members(members)
    state = model.state_dict()
    for index, member in enumerate(members):
        for name, tensor in member.items():
            assert torch.equal(state[f'members.{index}.{name}'], tensor)
    other.load_state_dict(state)  # strict
    assert [bank.tensors().keys() for bank in other.members] == [m.keys() for m in members]
    x = torch.rand(1, 3, 32, 32)
    expected, (sample,) = predict(model, x)[0], predict(other, x)
    assert torch.equal(sample.seg_logits.data, expected.seg_logits.data)
    del state['members.0.' + next(iter(members[0]))], state['members.1.' + next(iter(members[1]))]
    with pytest.raises(ValueError, match='numbered from 0 on, got'):
        other.load_state_dict({**state, 'members.7.x': torch.zeros(1)})


def test_a_member_is_taken_out_again_after_a_failure():
    model = build()
    before = {n: t.clone() for n, t in model.state_dict().items()}
    objects = {n: id(p) for n, p in model.named_parameters()}
    weight = model.backbone.stem[1].weight

    def fail():
        assert not torch.equal(weight, before['backbone.stem.1.weight'])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), applied(model, MemberBank(perturbed(model, 0))):
        fail()
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())
    assert {n: id(p) for n, p in model.named_parameters()} == objects


def test_trains_with_ground_truth(x):
    model = build()
    data = samples(2, ori_shape=(32, 48))
    for sample in data:
        label = torch.randint(0, NUM_CLASSES, (1, 32, 48))
        sample.gt_sem_seg = PixelData(data=label)
    model.train()
    losses = model.loss(x, data)
    sum(v for n, v in losses.items() if 'loss' in n).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


def test_a_plain_network_refuses_to_sample(x):
    model = build_segmentor(type='MCEncoderDecoder')
    with pytest.raises(RuntimeError, match='holds no Bayesian normalization layer'):
        predict(model, x)


def test_a_member_of_another_network_is_rejected():
    model = build()
    tensors = {'backbone.stem.1.weight': torch.ones(3), 'elsewhere': torch.ones(1)}
    with pytest.raises(ValueError, match='member 0 does not fit MCEncoderDecoder: 2 of 2 tensors'):
        model.set_members([tensors])


def test_a_window_that_covers_the_image_gives_the_whole_images_prediction(x):
    whole = build(test_cfg=dict(mode='whole', num_samples=2))
    slide = build(test_cfg=dict(mode='slide', crop_size=(64, 64), stride=(32, 32), num_samples=2))
    data = samples(2, ori_shape=(32, 48))
    expected = predict(whole, x, copy.deepcopy(data))
    for got, want in zip(predict(slide, x, data), expected, strict=True):
        torch.testing.assert_close(got.seg_logits.data, want.seg_logits.data)


def test_windows_of_one_draw_show_no_seam(x):
    # an image without structure, and a network that sees 1x1 pixels: only the noise could differ
    # from window to window
    model = build(0.3, dict(mode='slide', crop_size=(32, 32), stride=(16, 16), num_samples=1))
    flat = torch.full((1, 3, 32, 96), 0.5)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d) and module.kernel_size == (3, 3):
                module.weight[..., [0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 0, 2, 0, 1, 2]] = 0
    (result,) = predict(model, flat, samples(1, ori_shape=(32, 96)))
    logits = result.seg_logits.data
    torch.testing.assert_close(logits, logits[:, :1, :1].expand_as(logits), rtol=1e-4, atol=1e-4)


def test_the_base_network_counts_as_one_member(x):
    test_cfg = dict(mode='whole', num_samples=2)
    model = build(test_cfg={**test_cfg, 'include_base': True})
    without = build(test_cfg=test_cfg)
    members = [perturbed(model, 0), perturbed(model, 1)]
    for network in (model, without):
        network.set_members(members)
    sampled = predict(without, x)
    plain = predict(build_segmentor(), x, samples(2, ori_shape=(32, 48)))
    for got, drawn, base in zip(predict(model, x), sampled, plain, strict=True):
        p = drawn.seg_logits.data.softmax(0) * 2 / 3 + base.seg_logits.data.softmax(0) / 3
        torch.testing.assert_close(got.seg_logits.data.softmax(0), p)
        base_p = base.seg_logits.data.softmax(0)
        entropy = -(base_p * base_p.log()).sum(0)
        expected = drawn.uncertainty.expected_entropy[0] * 2 / 3 + entropy / 3
        torch.testing.assert_close(got.uncertainty.expected_entropy[0], expected)


def test_labels_of_the_network_itself(x):
    test_cfg = dict(mode='whole', num_samples=2)
    model = build(alpha=0.8, test_cfg={**test_cfg, 'labels_from': 'base'})
    drawn = build(alpha=0.8, test_cfg=test_cfg)
    for network in (model, drawn):
        network.set_members([perturbed(network, 0), perturbed(network, 1)])
    plain = predict(build_segmentor(), x, samples(2, ori_shape=(64, 96)))
    mean = predict(drawn, x, samples(2, ori_shape=(64, 96)))
    found = predict(model, x, samples(2, ori_shape=(64, 96)))
    for got, base, other in zip(found, plain, mean, strict=True):
        assert torch.equal(got.pred_sem_seg.data, base.pred_sem_seg.data)
        assert not torch.equal(got.pred_sem_seg.data, other.pred_sem_seg.data)
        assert torch.equal(got.seg_logits.data, other.seg_logits.data)
        for name, values in other.uncertainty.items():
            assert torch.equal(got.uncertainty.get(name), values)
    with pytest.raises(ValueError, match=r"`test_cfg\.labels_from` must be one of .*got 'mode'"):
        build(test_cfg={**test_cfg, 'labels_from': 'mode'})


def test_a_draw_for_each_image_depends_on_its_path_only(x):
    model = build(test_cfg=dict(mode='whole', num_samples=2, draw_per_image=True))

    def data(*paths):
        return [samples(1, ori_shape=(32, 48), img_path=path)[0] for path in paths]

    a, b = predict(model, x, data('a.png', 'b.png'))
    b_first, a_second = predict(model, x.flip(0), data('b.png', 'a.png'))
    torch.testing.assert_close(a_second.seg_logits.data, a.seg_logits.data)
    torch.testing.assert_close(b_first.seg_logits.data, b.seg_logits.data)
    (renamed,) = predict(model, x[:1], data('c.png'))
    assert not torch.allclose(renamed.seg_logits.data, a.seg_logits.data)
    with pytest.raises(ValueError, match=r'`draw_per_image` needs the `img_path`'):
        predict(model, x, samples(2, ori_shape=(32, 48)))


def test_a_failure_while_predicting_leaves_no_noise_behind(x):
    model = build()
    model.set_members([perturbed(model, 0)])
    before = {n: t.clone() for n, t in model.state_dict().items()}
    try:
        predict(model, x[:, :2])  # a channel is missing
    except RuntimeError as error:
        # the traceback is alive here, as in an interactive session
        assert all(la.held_noise is None for la in bayesian_layers(model).values())
        assert 'channels' in str(error)  # noqa: PT017
    else:
        pytest.fail('an image of two channels was taken')
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())


def test_full_members_predict_with_one_network(x):
    # trainable='all': three networks of their own, as in a deep ensemble
    model = build(test_cfg=dict(mode='whole', num_samples=1))
    size = sum(p.numel() for p in model.parameters())
    data = samples(2, ori_shape=(32, 48))
    states, mean = [], 0
    for member in range(3):
        network = copy.deepcopy(model)
        generator = torch.Generator().manual_seed(member)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
            with hold_draw(network, Draw(0, member, 0)):
                logits = network.encode_decode(x, [dict(img_shape=(32, 48))] * 2)
        mean = mean + logits.softmax(1) / 3
        states.append(dict(network.state_dict()))
    model.set_members(states)
    for i, sample in enumerate(predict(model, x, data)):
        torch.testing.assert_close(sample.seg_logits.data.softmax(0), mean[i])
    assert sum(p.numel() for p in model.parameters()) == size


def test_cascades_sample_too(x):
    head = dict(in_channels=64, in_index=3, channels=8, num_classes=NUM_CLASSES)
    head.update(norm_cfg=dict(type='BN'), align_corners=False)
    fcn = dict(type='FCNHead', num_convs=1, concat_input=False, **head)
    ocr = dict(type='OCRHead', ocr_channels=8, **head)
    changes = dict(num_stages=2, decode_head=[fcn, ocr], auxiliary_head=None)
    plain = build_segmentor(type='CascadeEncoderDecoder', **changes)
    data = samples(2, ori_shape=(32, 48))
    expected = predict(plain, x, copy.deepcopy(data))
    model = build_segmentor(
        type='MCCascadeEncoderDecoder', test_cfg=dict(mode='whole', num_samples=2), **changes
    )
    convert_to_abnn(model, alpha=0.0)
    for got, want in zip(predict(model, x, copy.deepcopy(data)), expected, strict=True):
        torch.testing.assert_close(
            got.seg_logits.data, want.seg_logits.data.log_softmax(0), rtol=1e-4, atol=1e-5
        )
    convert_to_abnn(model, alpha=0.3)
    model.set_members([perturbed(model, 0), perturbed(model, 1)])
    noisy = predict(model, x, copy.deepcopy(data))
    assert not torch.allclose(noisy[0].seg_logits.data.exp(), expected[0].seg_logits.data.exp())
    assert noisy[0].uncertainty.mutual_information.max() > 0


def test_heads_without_logits_are_refused(monkeypatch):
    monkeypatch.setattr(
        mc_encoder_decoder, '_NO_LOGITS', ('FCNHead',)
    )  # MaskFormer needs MMDetection
    with pytest.raises(ValueError, match='but FCNHead returns no logits'):
        build()
