"""The loss of hard pixels, against MMSegmentation's losses and the equation."""

import math

import pytest
import torch
from mmseg.models.decode_heads import FCNHead
from mmseg.models.losses import OhemCrossEntropy

from mmseg_abnn.models.losses import ABNNLoss


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 4, 5, 6, generator=generator)
    label = torch.randint(0, 4, (2, 5, 6), generator=generator)
    label[0, 0] = 255
    return logits, label


@pytest.mark.parametrize(
    'ohem', [{}, dict(thres=0.9, min_kept=1), dict(thres=0.2, min_kept=30), dict(min_kept=0)]
)
def test_without_eta_it_is_that_of_mmsegmentation(batch, ohem):
    logits, label = batch
    ours, theirs = logits.requires_grad_(), logits.detach().clone().requires_grad_()
    weights = [1.0, 2.0, 0.5, 3.0]
    found = ABNNLoss(eta=None, ohem=ohem, ignore_index=255, loss_weight=0.4, class_weight=weights)
    expected = OhemCrossEntropy(loss_weight=0.4, class_weight=weights, **ohem)(theirs, label)
    loss = found(ours, label)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_class_weights_weigh_pixels_and_do_not_choose_them():
    p = torch.tensor([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.75, 0.25]])  # four pixels, two classes
    label = torch.tensor([0, 0, 0, 1])
    # below 0.7 are the pixels 0, 2 and 3, whatever the weight of class 1, which is 10
    loss = ABNNLoss(eta=[0.0, 9.0], ohem=dict(thres=0.7, min_kept=1))(p.log(), label)
    expected = -(math.log(0.6) + math.log(0.2) + 10 * math.log(0.25)) / 3
    assert loss.item() == pytest.approx(expected)
    # two are kept at least: the third of the sorted probabilities, 0.6, is the limit
    loss = ABNNLoss(eta=[0.0, 9.0], ohem=dict(thres=0.1, min_kept=2))(p.log(), label)
    assert loss.item() == pytest.approx(-(math.log(0.2) + 10 * math.log(0.25)) / 2)


@pytest.mark.parametrize('label', [255, 0])
def test_no_hard_pixel_gives_zero_and_zero_gradient(label):
    logits = torch.tensor([[[[9.0]], [[-9.0]]]], requires_grad=True)  # sure of class 0
    loss = ABNNLoss(ohem=dict(min_kept=1), ignore_index=255)(logits, torch.full((1, 1, 1), label))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_a_head_that_says_what_it_ignores_is_right(batch):
    logits, label = batch
    loss = ABNNLoss(eta=None, ohem={}, ignore_index=255)
    expected = OhemCrossEntropy(ignore_label=3)(logits, label.clamp(max=3))
    torch.testing.assert_close(loss(logits, label.clamp(max=3), ignore_index=3), expected)


@pytest.mark.parametrize('thresh', [0.7, None])
def test_the_pixel_sampler_of_a_head(batch, thresh):
    logits, label = batch
    eta = [0.5, -1.0, 2.0, 0.0]
    head = FCNHead(
        in_channels=3,
        channels=2,
        num_classes=4,
        loss_decode=dict(type='ABNNLoss', eta=eta),
        sampler=dict(type='OHEMPixelSampler', thresh=thresh, min_kept=5),
    )
    weight = head.sampler.sample(logits, label[:, None])
    log_p = logits.log_softmax(dim=1)
    terms = []  # of each pixel: probability of its class, and its weighted loss
    for n, y, x in (label != 255).nonzero().tolist():
        value = float(log_p[n, label[n, y, x], y, x])
        terms.append((math.exp(value), -(1 + eta[label[n, y, x]]) * value))
    if thresh is None:  # five of each image, those of the largest loss
        kept = sorted((loss for _, loss in terms), reverse=True)[:10]
    else:  # below the threshold, and ten at least
        limit = max(sorted(p for p, _ in terms)[10], thresh)
        kept = [loss for p, loss in terms if p < limit]
    found = head.loss_decode(logits, label, weight=weight, ignore_index=255)
    # as in MMSegmentation, the mean is over all pixels that are not ignored
    assert found.item() == pytest.approx(sum(kept) / len(terms), rel=1e-5)


@pytest.mark.parametrize(
    ('ohem', 'error', 'message'),
    [
        (0.7, TypeError, '`ohem` must be a dict or None, got 0.7'),
        (dict(thresh=0.7), ValueError, r"`ohem` takes \['min_kept', 'thres'\], got \['thresh'\]"),
        (dict(thres=7), ValueError, '`ohem.thres` must be a probability, got 7'),
        (dict(min_kept=0.5), ValueError, '`ohem.min_kept` must be an int, got 0.5'),
    ],
)
def test_wrong_settings(ohem, error, message):
    with pytest.raises(error, match=message):
        ABNNLoss(ohem=ohem)


def test_soft_labels_have_no_hard_pixels(batch):
    with pytest.raises(ValueError, match='`ohem` chooses pixels by their class'):
        ABNNLoss(ohem={})(batch[0], batch[0].softmax(dim=1))
