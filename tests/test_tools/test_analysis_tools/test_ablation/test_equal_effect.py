"""Noise scales of equal effect, against effects that are measured one by one."""

import pytest
import torch
from mmseg.structures import SegDataSample

from ablation.equal_effect import equal_effect_alphas
from helpers.networks import build_segmentor
from mmseg_abnn import Draw, convert_to_abnn, hold_draw
from mmseg_abnn.models.layers import bayesian_layers

ALPHA = 0.01
AUXILIARY = 'auxiliary_head.convs.0.bn'


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 32, 48), generator=generator, dtype=torch.uint8)
    meta = dict(ori_shape=(32, 48), img_shape=(32, 48))
    return [dict(inputs=[i], data_samples=[SegDataSample(metainfo=meta)]) for i in images]


def build(kind='MCEncoderDecoder', alpha=0.7):
    model = build_segmentor(type=kind)
    convert_to_abnn(model, alpha=alpha)
    return model


def effect(alphas, batches, draws=4):
    """Convert another network with these scales; layers that are not named have no noise."""
    plain, model = build_segmentor(), build(alpha={**alphas, '*': 0.0})
    changes = []
    with torch.no_grad():
        for batch in batches:
            inputs = model.data_preprocessor(batch, False)['inputs']
            clean = plain(inputs).softmax(1)
            for index in range(draws):
                with hold_draw(model, Draw(0, index=index)):
                    changes.append(model(inputs).softmax(1) - clean)
    return torch.cat(changes).double().square().mean().sqrt().item()


@pytest.mark.parametrize('kind', ['MCEncoderDecoder', 'EncoderDecoder'])
def test_effects_are_equal_and_add_up_to_that_of_one_scale(kind, batches):
    model = build(kind)
    found = equal_effect_alphas(model, iter(batches), ALPHA, largest=10.0)
    names = list(bayesian_layers(model))
    assert list(found) == names
    assert found[AUXILIARY] == ALPHA  # without effect
    wanted = effect(dict.fromkeys(names, ALPHA), batches)
    assert effect(found, batches) == pytest.approx(wanted, rel=0.01)
    chosen = [n for n in names if n != AUXILIARY and found[n] < 0.1][::3]  # where it is linear
    assert len(chosen) > 4
    alone = [effect({name: found[name]}, batches) for name in chosen]
    assert alone == pytest.approx([alone[0]] * len(alone), rel=0.1)
    one = [effect({name: ALPHA}, batches) for name in chosen]
    assert max(one) > 3 * min(one)  # they were not equal before
    # the model is as it was
    assert {layer.alpha for layer in bayesian_layers(model).values()} == {0.7}
    assert not model.training


def test_no_scale_is_larger_than_the_largest(batches):
    found = equal_effect_alphas(build(), batches, 0.1, largest=0.5)
    assert max(found.values()) == 0.5
    wanted = effect(dict.fromkeys(found, 0.1), batches)
    assert effect(found, batches) == pytest.approx(wanted, rel=0.01)


def test_conversion_takes_the_scales(batches):
    model = build()
    found = equal_effect_alphas(model, batches, 0.1)
    assert convert_to_abnn(model, alpha=found).alphas == found


def test_wrong_arguments(batches):
    model = build()
    for changes, message in (
        (dict(alpha=0), '`alpha` must be a finite number > 0, got 0'),
        (dict(draws=0), '`draws` must be >= 1, got 0'),
        (dict(largest=0.05), '`largest` must be a finite number >= `alpha` = 0.1, got 0.05'),
        (dict(batches=[]), '`batches` must hold at least one batch'),
    ):
        with pytest.raises(ValueError, match=message):
            equal_effect_alphas(**{**dict(model=model, batches=batches, alpha=0.1), **changes})
    with pytest.raises(RuntimeError, match='`model` holds no Bayesian layer'):
        equal_effect_alphas(build_segmentor(), batches, 0.1)
    auxiliary = build_segmentor(type='MCEncoderDecoder')
    convert_to_abnn(auxiliary, include=['auxiliary_head.*'])
    with pytest.raises(RuntimeError, match=r'the scale 0.1 does not change the output'):
        equal_effect_alphas(auxiliary, batches, 0.1)
