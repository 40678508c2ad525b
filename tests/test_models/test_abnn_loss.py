import math

import pytest
import torch
from mmseg.registry import MODELS

from mmseg_abnn.models.losses import ABNNLoss, draw_eta


def naive_loss(logits, label, class_weights, pixel_weight=None, ignore_index=255):
    """The equation, pixel by pixel."""
    total, valid = 0.0, 0
    for n in range(label.shape[0]):
        for y in range(label.shape[1]):
            for x in range(label.shape[2]):
                target = int(label[n, y, x])
                if target == ignore_index:
                    continue
                scores = logits[n, :, y, x].tolist()
                log_p = scores[target] - math.log(sum(math.exp(s) for s in scores))
                factor = 1.0 if pixel_weight is None else float(pixel_weight[n, y, x])
                total -= class_weights[target] * factor * log_p
                valid += 1
    return total / max(valid, 1)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 3, 5, generator=generator)
    label = torch.randint(0, 4, (2, 3, 5), generator=generator)
    label[0, 0] = 255
    return logits, label


def test_equals_the_equation(batch):
    logits, label = batch
    eta, fixed = [0.5, -1.0, 2.0, 0.0], [1.0, 2.0, 0.5, 3.0]
    loss = ABNNLoss(eta=eta, class_weight=fixed, loss_weight=0.4)
    weights = [(1 + e) * f for e, f in zip(eta, fixed, strict=True)]
    assert loss(logits, label).item() == pytest.approx(0.4 * naive_loss(logits, label, weights))


def test_pixel_weights_and_ignore_index(batch):
    logits, label = batch
    label = label.clamp(max=3)
    weight = torch.rand(label.shape, generator=torch.Generator().manual_seed(1))
    loss = ABNNLoss(eta=None)(logits, label, weight=weight, ignore_index=3)
    expected = naive_loss(logits, label, [1.0] * 4, weight, ignore_index=3)
    assert loss.item() == pytest.approx(expected)


def test_without_eta_it_is_cross_entropy(batch):
    logits, label = batch
    expected = torch.nn.functional.cross_entropy(logits, label, ignore_index=255)
    torch.testing.assert_close(ABNNLoss(eta=None)(logits, label), expected)


def test_all_pixels_ignored_gives_zero_and_zero_gradient(batch):
    logits, label = batch
    logits.requires_grad_()
    loss = ABNNLoss()(logits, torch.full_like(label, 255))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_sparse_eta_weighs_int_sqrt_classes():
    offsets = draw_eta(dict(type='sparse', num_classes=None, weight=3.0), 19, seed=0)
    assert sorted(offsets.tolist()) == [0.0] * 15 + [2.0] * 4  # int(sqrt(19)) = 4


def test_eta_depends_on_the_seed_only():
    eta = dict(type='sparse', num_classes=None, weight=2.0)
    torch.manual_seed(0)
    first = draw_eta(eta, 19, seed=1)
    torch.manual_seed(1)
    assert torch.equal(draw_eta(eta, 19, seed=1), first)
    assert len({tuple(draw_eta(eta, 19, seed=s).tolist()) for s in range(20)}) > 10


def test_built_from_a_config_of_mmsegmentation():
    loss = MODELS.build(dict(type='ABNNLoss', eta=dict(type='sparse', weight=4.0), seed=3))
    assert loss.loss_name == 'loss_abnn'
    assert sorted(loss.draw_offsets(9).tolist()) == [0.0] * 6 + [3.0] * 3


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(loss_name='abnn'), "`loss_name` must start with 'loss_', got 'abnn'"),
        (dict(eta=dict(type='cauchy')), "`eta.type` must be one of .*got 'cauchy'"),
        (dict(eta=dict(type='sparse', weight=-1)), '`eta.weight` must be >= 0, got -1'),
        (dict(eta=dict(type='sparse', num_classes=-2)), '`eta.num_classes` must be .*got -2'),
        (dict(eta=[0.0, -1.5]), '`eta` must hold numbers >= -1'),
        (dict(class_weight=[1.0, -1.0]), '`class_weight` must hold numbers >= 0'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ABNNLoss(**arguments)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(eta=[0.0, 1.0]), '`eta` must have one number for each of the 4 classes, got 2'),
        (dict(class_weight=[1.0]), '`class_weight` must have one number for each of the 4'),
        (dict(eta=dict(type='sparse', num_classes=5)), 'must be at most 4, got 5'),
    ],
)
def test_arguments_that_do_not_fit_the_classes(batch, arguments, message):
    with pytest.raises(ValueError, match=message):
        ABNNLoss(**arguments)(*batch)


def test_a_sigmoid_output_is_rejected(batch):
    with pytest.raises(ValueError, match='a sigmoid output is not supported'):
        ABNNLoss()(batch[0][:, :1], batch[1])
