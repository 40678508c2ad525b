"""Dropout that is held in a prediction, against a naive mask."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from helpers.networks import build_segmentor
from mmseg_abnn import convert_to_abnn
from mmseg_abnn.models.layers import Draw, hold_dropout
from mmseg_abnn.models.layers.dropout import dropout_layers


def mask(output):
    return output != 0


@pytest.mark.parametrize('layer', [nn.Dropout2d(0.3), nn.Dropout(0.3), nn.Dropout2d(0.3, True)])
def test_what_is_dropped(layer):
    net = nn.Sequential(nn.Identity(), layer).eval()
    x = torch.ones(2, 4000, 3, 5)
    with hold_dropout(net, Draw(0)):
        first, again = net(x), net(x[:1])
    # the same units for every sample, batch and pass; scaled so that the mean stays
    assert torch.equal(first[0], first[1])
    assert torch.equal(first[:1], again)
    kept = first[first != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / 0.7))
    share = mask(first[0]).float()
    if isinstance(layer, nn.Dropout2d):  # whole channels
        per_channel = share.mean(dim=(1, 2))
        assert set(per_channel.tolist()) == {0.0, 1.0}
    assert share.mean().item() == pytest.approx(0.7, abs=0.03)
    assert torch.equal(net(x), torch.ones_like(x))


def test_draws_differ_and_repeat():
    net = nn.Sequential(nn.Dropout2d(0.5), nn.Dropout2d(0.5)).eval()
    x = torch.ones(1, 200, 1, 1)

    def drawn(draw, batch=x):
        with hold_dropout(net, draw):
            return net(batch)

    assert torch.equal(drawn(Draw(0, 1, 2)), drawn(Draw(0, 1, 2)))
    others = [Draw(1, 1, 2), Draw(0, 0, 2), Draw(0, 1, 0), Draw(0, 1, 2, 'image')]
    assert all(not torch.equal(drawn(Draw(0, 1, 2)), drawn(other)) for other in others)
    # two layers drop different channels: a quarter stays
    assert mask(drawn(Draw(0))).float().mean().item() == pytest.approx(0.25, abs=0.1)
    both = drawn([Draw(0, image='a'), Draw(0, image='b')], x.expand(2, -1, -1, -1))
    assert torch.equal(both[:1], drawn(Draw(0, image='a')))
    assert torch.equal(both[1:], drawn(Draw(0, image='b')))


def test_it_is_off_after_an_error():
    net = nn.Sequential(nn.Dropout(0.5)).eval()
    with pytest.raises(ZeroDivisionError), hold_dropout(net, Draw(0)):
        raise ZeroDivisionError
    assert torch.equal(net(torch.ones(3, 4)), torch.ones(3, 4))


def test_errors():
    with pytest.raises(RuntimeError, match='holds no dropout layer with p > 0'):
        hold_dropout(nn.Sequential(nn.Dropout(0.0), nn.ReLU()), Draw(0)).__enter__()
    net = nn.Sequential(nn.Dropout(0.5)).train()
    with hold_dropout(net, Draw(0)), pytest.raises(RuntimeError, match='in training mode'):
        net(torch.ones(2, 2))


def test_dropout_of_the_auxiliary_head_only_is_an_error():
    test_cfg = dict(mode='whole', draws='dropout', num_samples=1)
    model = build_segmentor(type='MCEncoderDecoder', test_cfg=test_cfg)
    model.decode_head.dropout = None
    with pytest.raises(RuntimeError, match=r'nothing was dropped: .*\(auxiliary_head.dropout\)'):
        predict(model, torch.randn(1, 3, 32, 48))


def test_all_is_dropped():
    net = nn.Sequential(nn.Dropout(1.0)).eval()
    with hold_dropout(net, Draw(0)):
        assert torch.equal(net(torch.ones(2, 3)), torch.zeros(2, 3))


def predict(model, x):
    meta = dict(ori_shape=(32, 48), img_shape=(32, 48), pad_shape=(32, 48))
    with torch.no_grad():
        samples = model.predict(x, [SegDataSample(metainfo=meta) for _ in x])
    assert all(isinstance(sample.seg_logits, PixelData) for sample in samples)
    return torch.stack([sample.seg_logits.data.exp() for sample in samples])


@pytest.mark.parametrize('converted', [False, True])
def test_mc_dropout(converted):
    """A mean over masks on the input of the head's last layer; noise, if there is any, is off."""
    test_cfg = dict(mode='whole', draws='dropout', num_samples=3, seed=4)
    model = build_segmentor(type='MCEncoderDecoder', test_cfg=test_cfg)
    if converted:
        convert_to_abnn(model, alpha=0.5)
    x = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    assert set(dropout_layers(model)) == {'decode_head.dropout', 'auxiliary_head.dropout'}
    found = predict(model, x)

    plain = build_segmentor()
    name, p, total = 'decode_head.dropout', plain.decode_head.dropout.p, 0
    for index in range(3):
        normal = torch.randn(16, 1, 1, generator=Draw(4, 0, index).generator(name))
        kept = torch.distributions.Normal(0.0, 1.0).cdf(normal) >= p
        plain.decode_head.dropout = nn.Identity()
        plain.decode_head.dropout.forward = lambda f, kept=kept: f * kept / (1 - p)
        with torch.no_grad():
            total = total + plain.predict(x)[0].seg_logits.data.softmax(dim=0)
    torch.testing.assert_close(found[0], total / 3)


def test_temperature():
    x = torch.randn(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = build_segmentor().predict(x)[0].seg_logits.data
    test_cfg = dict(mode='whole', num_samples=1, temperature=2.5)
    model = build_segmentor(type='MCEncoderDecoder', test_cfg=test_cfg)
    convert_to_abnn(model, alpha=0.0)
    torch.testing.assert_close(predict(model, x)[0], (logits / 2.5).softmax(dim=0))
