import copy

import pytest
import torch
from helpers import NUM_CLASSES, build_segmentor
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_abnn.conversion import convert_to_abnn
from mmseg_abnn.members import MemberBank, applied, member_tensors
from mmseg_abnn.models.layers import Draw, hold_draw


def build(alpha=0.2, test_cfg=None):
    model = build_segmentor(type='MCEncoderDecoder', test_cfg=test_cfg or dict(mode='whole'))
    convert_to_abnn(model, alpha=alpha)
    return model


def perturbed(model, seed):
    generator = torch.Generator().manual_seed(seed)
    return {
        n: t + 0.3 * torch.randn(t.shape, generator=generator)
        for n, t in member_tensors(model, model.state_dict()).items()
    }


def samples(count, ori_shape, **meta):
    meta = dict(ori_shape=ori_shape, img_shape=(32, 48), pad_shape=(32, 48), **meta)
    return [SegDataSample(metainfo=meta) for _ in range(count)]


def predict(model, x, data_samples=None):
    with torch.no_grad():
        return model.predict(x, data_samples)


@pytest.fixture
def x():
    return torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))


def test_mean_of_probabilities_over_members_and_draws(x):
    model = build(test_cfg=dict(mode='whole', num_samples=2, seed=5))
    members = [perturbed(model, 0), perturbed(model, 1), perturbed(model, 2)]
    model.set_members(members)
    result = predict(model, x, samples(2, ori_shape=(64, 96)))

    # the oracle: M full copies of the network, every draw kept, resized to the original image
    all_p = []
    for m, member in enumerate(members):
        network = copy.deepcopy(model)
        network.load_state_dict({**network.state_dict(), **member})
        for index in range(2):
            with torch.no_grad(), hold_draw(network, Draw(5, m, index)):
                logits = network.encode_decode(x, [dict(img_shape=(32, 48))] * 2)
            logits = torch.nn.functional.interpolate(logits, (64, 96), mode='bilinear')
            all_p.append(logits.softmax(dim=1))
    all_p = torch.stack(all_p)
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
    model.noise_seed = 1
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
    assert not any('members' in key for key in model.state_dict())


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


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        (dict(num_samples=0), '`test_cfg.num_samples` must be an int >= 1, got 0'),
        (dict(num_samples=2.5), '`test_cfg.num_samples` must be an int >= 1, got 2.5'),
        (dict(seed=-1), '`test_cfg.seed` must be an int >= 0, got -1'),
    ],
)
def test_bad_settings(setting, message):
    with pytest.raises(ValueError, match=message):
        build_segmentor(type='MCEncoderDecoder', test_cfg=dict(mode='whole', **setting))
