import math

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

from mmseg_abnn.models.losses import ABNNLoss, GaussianPrior, draw_eta


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
    assert loss(logits, label, ignore_index=255).item() == pytest.approx(
        0.4 * naive_loss(logits, label, weights)
    )


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
    torch.testing.assert_close(ABNNLoss(eta=None)(logits, label, ignore_index=255), expected)


def test_all_pixels_ignored_gives_zero_and_zero_gradient(batch):
    logits, label = batch
    logits.requires_grad_()
    loss = ABNNLoss()(logits, torch.full_like(label, 255), ignore_index=255)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_sparse_eta_weighs_int_sqrt_classes():
    offsets = draw_eta(dict(type='sparse', num_classes=None, weight=3.0), 19, seed=0)
    assert sorted(offsets.tolist()) == [0.0] * 15 + [2.0] * 4  # int(sqrt(19)) = 4


def test_normal_eta_is_normal_and_cut_off():
    offsets = draw_eta(dict(type='normal', std=0.2), 20000, seed=0)
    # mean and standard deviation within five standard errors
    assert abs(offsets.mean()) < 5 * 0.2 / 20000**0.5
    assert abs(offsets.std() - 0.2) < 5 * 0.2 / 40000**0.5
    wide = draw_eta(dict(type='normal', std=5.0), 20000, seed=0)
    assert wide.min() == -1
    # P(eta < -1) = Phi(-0.2) = 0.4207
    assert abs((wide == -1).float().mean() - 0.4207) < 5 * (0.42 * 0.58 / 20000) ** 0.5


def test_uniform_eta_fills_its_range():
    offsets = draw_eta(dict(type='uniform', low=-0.5, high=2.0), 20000, seed=0)
    assert offsets.min() >= -0.5
    assert offsets.max() <= 2.0
    assert abs(offsets.mean() - 0.75) < 5 * 2.5 / 12**0.5 / 20000**0.5


@pytest.mark.parametrize('eta', [None, dict(type='none')])
def test_no_eta(eta):
    assert torch.equal(draw_eta(eta, 19, seed=0), torch.zeros(19))


@pytest.mark.parametrize('eta', [dict(type='normal', std=3), dict(type='uniform', low=-1, high=9)])
def test_no_total_weight_is_negative(eta):
    assert all((1 + draw_eta(eta, 50, seed)).min() >= 0 for seed in range(50))


@pytest.mark.parametrize('family', ['sparse', 'normal', 'uniform'])
def test_eta_depends_on_the_seed_only(family):
    eta = dict(type=family)
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
        (
            dict(eta=dict(type='sparse', std=1)),
            "`eta` of the type 'sparse' takes .*got \\['std'\\]",
        ),
        (dict(eta=dict(type='normal', std=-1)), '`eta.std` must be >= 0, got -1'),
        (dict(eta=dict(type='uniform', low=-2)), '-1 <= low <= high .*got -2'),
        (dict(eta=dict(type='uniform', low=1, high=0)), 'low <= high .*got 1 and 0'),
        (dict(prior_std=0), '`prior_std` must be None or > 0, got 0'),
        (dict(prior_center='base'), "`prior_center` must be one of .*got 'base'"),
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


def test_the_prior_is_the_equation_and_is_told_apart(batch):
    logits, label = batch
    logits.requires_grad_()
    w = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    c = torch.tensor([1.0, 1.0, 1.0])
    data = ABNNLoss(eta=None, loss_weight=0.4)(logits, label, ignore_index=255)
    for centers, squares in ((None, 14.0), ({'w': c}, 13.0)):
        loss = ABNNLoss(eta=None, loss_weight=0.4)
        loss.prior = GaussianPrior({'w': w}, 0.5, centers)
        # lambda = 1 / (2 * 0.5^2) = 2
        total = loss(logits, label, ignore_index=255)
        assert total.item() == pytest.approx(data.item() + 2 * squares)
        assert loss.terms['likelihood'].item() == pytest.approx(data.item())
        assert loss.terms['prior'].item() == pytest.approx(2 * squares)
    (gradient,) = torch.autograd.grad(total, w)
    torch.testing.assert_close(gradient, 4 * (w.detach() - c))


def test_eta_is_drawn_once(batch):
    logits, label = batch
    loss = ABNNLoss(seed=3)
    first = loss(logits, label, ignore_index=255)
    loss.seed = 4
    assert torch.equal(loss(logits, label, ignore_index=255), first)


def test_eta_of_a_wrong_type():
    with pytest.raises(TypeError, match="`eta` must be a dict, a list of numbers or None, got 'no"):
        ABNNLoss(eta='normal')


def test_samplers_of_hard_pixels_get_the_loss_of_each_pixel(batch):
    logits, label = batch
    loss = ABNNLoss(eta=[0.5, -1.0, 2.0, 0.0], loss_weight=0.4)
    pixels = loss(logits, label, ignore_index=255, reduction_override='none')
    assert pixels.shape == label.shape
    valid = int((label != 255).sum())
    assert pixels.sum().item() / valid == pytest.approx(
        loss(logits, label, ignore_index=255).item()
    )
    with pytest.raises(ValueError, match="`reduction_override` must be None or 'none', got 'sum'"):
        loss(logits, label, ignore_index=255, reduction_override='sum')


def test_class_weights_from_a_file(batch, tmp_path):
    logits, label = batch
    np.save(tmp_path / 'weights.npy', np.array([1.0, 2.0, 0.5, 3.0]))
    given = ABNNLoss(eta=None, class_weight=[1.0, 2.0, 0.5, 3.0])
    read = ABNNLoss(eta=None, class_weight=str(tmp_path / 'weights.npy'))
    assert torch.equal(
        read(logits, label, ignore_index=255), given(logits, label, ignore_index=255)
    )


def naive_soft_loss(logits, q, class_weights):
    """The equation for soft labels, class by class."""
    total = 0.0
    for scores, shares in zip(logits.tolist(), q.tolist(), strict=True):
        log_z = math.log(sum(math.exp(score) for score in scores))
        for c, (score, share) in enumerate(zip(scores, shares, strict=True)):
            total -= class_weights[c] * share * (score - log_z)
    return total / len(logits)


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(6, 4, generator=generator)
    return logits, torch.randint(0, 4, (6,), generator=generator)


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_soft_labels(images, smoothing):
    logits, label = images
    mixed = 0.7 * torch.eye(4)[label] + 0.3 * torch.eye(4)[label.flip(0)]
    eta, fixed = [0.5, -1.0, 2.0, 0.0], [1.0, 2.0, 0.5, 3.0]
    loss = ABNNLoss(eta=eta, class_weight=fixed, label_smoothing=smoothing)
    weights = [(1 + e) * f for e, f in zip(eta, fixed, strict=True)]
    for given, q in ((mixed, mixed), (label, torch.eye(4)[label])):
        expected = naive_soft_loss(logits, (1 - smoothing) * q + smoothing / 4, weights)
        assert loss(logits, given).item() == pytest.approx(expected)
        # the heads of MMPretrain name the denominator
        assert loss(logits, given, avg_factor=12).item() == pytest.approx(expected / 2)


def test_no_class_of_a_classifier_is_ignored():
    logits = torch.zeros(1, 300)
    label = torch.tensor([255])
    assert ABNNLoss(eta=None)(logits, label).item() == pytest.approx(math.log(300))


def test_labels_of_several_classes_are_refused(images):
    logits, _ = images
    with pytest.raises(ValueError, match='add up to 1 over the classes, got sums from 2 to 2'):
        ABNNLoss()(logits, torch.tensor([[1.0, 1.0, 0.0, 0.0]]).expand(6, 4))
    with pytest.raises(ValueError, match=r'must be >= 0 .* values from -1'):
        ABNNLoss()(logits, torch.tensor([[2.0, -1.0, 0.0, 0.0]]).expand(6, 4))
    for value in (1.0, '0.1'):
        with pytest.raises(ValueError, match='`label_smoothing` must be a number in'):
            ABNNLoss(label_smoothing=value)


def test_one_hot_labels_are_soft_labels(images):
    logits, label = images
    loss = ABNNLoss(eta=[0.5, -1.0, 2.0, 0.0])
    expected = loss(logits, label)
    for one_hot in (torch.nn.functional.one_hot(label, 4), torch.eye(4).double()[label]):
        found = loss(logits, one_hot, ignore_index=255)
        torch.testing.assert_close(found, expected)
