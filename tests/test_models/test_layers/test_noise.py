import pytest
import torch
from torch import nn

from helpers.networks import build_segmentor
from mmseg_abnn.conversion import convert_to_abnn
from mmseg_abnn.models.layers import (
    Draw,
    DrawMemory,
    bayesian_layers,
    hold_alpha,
    hold_draw,
    noise_off,
)


@pytest.fixture
def model():
    model = build_segmentor()
    convert_to_abnn(model, alpha=0.2)
    return model


def run(model, x, *draw):
    with torch.no_grad(), hold_draw(model, Draw(*draw)):
        return model(x)


@pytest.fixture
def x():
    return torch.randn(3, 3, 32, 48, generator=torch.Generator().manual_seed(0))


def test_one_draw_is_one_function(model, x):
    first = run(model, x, 7, 1, 2)
    assert torch.equal(run(model, x, 7, 1, 2), first)
    # neither the batch size nor the order of the images matters
    torch.testing.assert_close(run(model, x[:1], 7, 1, 2), first[:1])
    torch.testing.assert_close(run(model, x.flip(0), 7, 1, 2), first.flip(0))


@pytest.mark.parametrize('other', [(8, 1, 2), (7, 0, 2), (7, 1, 3)])
def test_seed_member_and_index_each_give_another_draw(model, x, other):
    assert (run(model, x, 7, 1, 2) - run(model, x, *other)).abs().max() > 1e-4


def test_layers_have_noise_of_their_own():
    model = nn.Sequential(nn.BatchNorm2d(4), nn.BatchNorm2d(4)).eval()
    convert_to_abnn(model, alpha=0.5)
    ones = torch.ones(1, 4, 1, 1)
    with hold_draw(model, Draw(0)):
        assert not torch.allclose(model[0](ones), model[1](ones))


def test_noise_does_not_touch_the_global_generator(model, x):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    run(model, x, 0)
    assert torch.equal(torch.rand(1), expected)


def test_a_failure_inside_releases_the_draw(model):
    with pytest.raises(ZeroDivisionError), hold_draw(model, Draw(0)):
        raise ZeroDivisionError
    assert all(layer.held_noise is None for layer in bayesian_layers(model).values())


def test_holding_twice_is_an_error(model):
    with hold_draw(model, Draw(0)):
        held = [layer.held_noise for layer in bayesian_layers(model).values()]
        with (
            pytest.raises(RuntimeError, match='a draw is held already'),
            hold_draw(model, Draw(1)),
        ):
            pass
        # the draw outside is still held
        assert [layer.held_noise for layer in bayesian_layers(model).values()] == held


def test_a_model_without_bayesian_layers_says_so():
    with (
        pytest.raises(RuntimeError, match='holds no Bayesian normalization layer'),
        hold_draw(nn.Linear(2, 2), Draw(0)),
    ):
        pass


def test_a_draw_for_each_sample_does_not_depend_on_the_batch(model, x):
    draws = [Draw(0, image='a.png'), Draw(0, image='b.png')]
    with torch.no_grad():
        with hold_draw(model, draws):
            both = model(x[:2])
        for i, draw in enumerate(draws):
            with hold_draw(model, [draw]):
                torch.testing.assert_close(model(x[i : i + 1]), both[i : i + 1])
    same = run(model, x[:1].expand(2, -1, -1, -1), 0)
    assert torch.equal(same[0], same[1])
    with torch.no_grad(), hold_draw(model, draws):
        other = model(x[:1].expand(2, -1, -1, -1))
    assert (other[0] - other[1]).abs().max() > 1e-4


def test_a_draw_for_each_sample_needs_samples_on_axis_0(model, x):
    draws = [Draw(0, image=str(i)) for i in range(3)]
    message = 'has 2 entries on axis 0, but there are 3 images'
    with pytest.raises(RuntimeError, match=message), hold_draw(model, draws):
        model(x[:2])


@pytest.mark.parametrize('noise_shape', ['channel', 'element'])
def test_a_memory_changes_no_draw_and_keeps_noise_per_channel_only(model, x, noise_shape):
    convert_to_abnn(model, alpha=0.3, noise_shape=noise_shape)
    memory = DrawMemory()
    layer = next(iter(bayesian_layers(model).values()))
    objects = set()
    for _ in range(2):
        for index in range(2):
            with torch.no_grad(), hold_draw(model, Draw(7, 0, index), memory):
                objects.add(layer.held_noise)
                remembered = model(x)
            assert torch.equal(remembered, run(model, x, 7, 0, index))
    assert len(objects) == (2 if noise_shape == 'channel' else 4)


def test_noise_off_is_alpha_zero_and_ends(model, x):
    noisy = run(model, x, 0)
    with torch.no_grad(), noise_off(model):
        plain = model(x)
        assert torch.equal(plain, model(x))
    with pytest.raises(ZeroDivisionError), noise_off(model):
        raise ZeroDivisionError
    assert torch.equal(run(model, x, 0), noisy)
    assert (plain - noisy).abs().max() > 1e-4


def test_a_pass_in_lower_precision_does_not_round_a_draw(model, x):
    memory = DrawMemory()
    with torch.no_grad():
        with hold_draw(model, Draw(0), memory):
            expected = model(x)
        with hold_draw(model, Draw(0), memory), torch.autocast('cpu', dtype=torch.bfloat16):
            model(x)
        with hold_draw(model, Draw(0), memory):
            assert torch.equal(model(x), expected)


def alphas(model):
    return {name: layer.alpha for name, layer in bayesian_layers(model).items()}


def test_another_alpha_for_a_while(model, x):
    before = alphas(model)
    names = list(before)
    with hold_alpha(model, 0.5):
        assert alphas(model) == dict.fromkeys(names, 0.5)
        held = run(model, x, 0)
    assert alphas(model) == before
    other = build_segmentor()
    convert_to_abnn(other, alpha=0.5)
    assert torch.equal(run(other, x, 0), held)


def test_alphas_by_name_for_a_while(model, x):
    names = list(alphas(model))
    chosen = {names[0]: 0.3, names[4]: 0.7}
    with hold_alpha(model, chosen):
        # layers that are not named have no noise
        assert alphas(model) == {**dict.fromkeys(names, 0.0), **chosen}
        held = run(model, x, 0)
    other = build_segmentor()
    convert_to_abnn(other, alpha={**chosen, '*': 0.0})
    assert torch.equal(run(other, x, 0), held)


@pytest.mark.parametrize('alpha', [0.5, {'backbone.stem.1': 0.5}])
def test_alpha_is_what_it_was_after_an_error(model, alpha):
    convert_to_abnn(model, alpha={'backbone.*': 0.1, '*': 0.2})
    before = alphas(model)
    with pytest.raises(ZeroDivisionError), hold_alpha(model, alpha):
        raise ZeroDivisionError
    assert alphas(model) == before


def test_a_network_without_bayesian_layers_has_no_alpha(x):
    model = build_segmentor()
    with torch.no_grad():
        expected = model(x)
        with hold_alpha(model, 0.5):
            assert torch.equal(model(x), expected)
