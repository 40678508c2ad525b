"""The softmax of an image is computed once, and not at all where the model gives it."""

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData

from helpers.evaluation_samples import SHAPE, evaluate, make_sample
from mmseg_abnn.evaluation.metrics.segmentation.samples import read_prediction, read_score
from mmseg_abnn.models.running_prediction import RunningPrediction
from mmseg_abnn.models.segmentors.mc_encoder_decoder import store_prediction

SCORES = ('msp', 'entropy', 'max_logit', 'energy', 'mutual_information')


@pytest.fixture
def softmaxes(monkeypatch):
    """The shapes of the tensors that a softmax is computed of."""
    shapes = []
    for owner in (torch, torch.Tensor, torch.nn.functional):
        softmax = owner.softmax

        def counted(values, *args, softmax=softmax, **kwargs):
            shapes.append(tuple(values.shape))
            return softmax(values, *args, **kwargs)

        monkeypatch.setattr(owner, 'softmax', counted)
    return shapes


@pytest.fixture
def samples():
    return [make_sample(seed) for seed in range(3)]


def test_one_softmax_an_image(samples, softmaxes):
    evaluate(samples, scores=SCORES)
    assert softmaxes == [(4, *SHAPE)] * 3


def test_no_softmax_where_the_probabilities_are_given(samples, softmaxes, tmp_path):
    expected = evaluate(samples, scores=SCORES, output_dir=str(tmp_path / 'logits'))
    for sample in samples:
        sample.probabilities = PixelData(data=sample.seg_logits.data.softmax(0))
    softmaxes.clear()
    found = evaluate(samples, scores=SCORES, output_dir=str(tmp_path / 'given'))
    assert not softmaxes
    assert found == expected
    maps = list((tmp_path / 'logits').rglob('*.npy'))
    assert len(maps) == len(samples) * len(SCORES)
    for path in maps:
        written = tmp_path / 'given' / path.relative_to(tmp_path / 'logits')
        assert written.read_bytes() == path.read_bytes(), path


def test_what_a_segmentor_that_samples_gives_changes_no_bit(samples, softmaxes):
    for seed, sample in enumerate(samples):
        generator = torch.Generator().manual_seed(seed)
        running = RunningPrediction()
        for _ in range(3):
            running.add(sample.seg_logits.data + torch.randn(4, *SHAPE, generator=generator))
        store_prediction(sample, running.mean())
    softmaxes.clear()
    found = evaluate(samples, scores=SCORES)
    assert not softmaxes
    for sample in samples:
        del sample.probabilities
        maps = dict(sample.uncertainty.items())
        kept = {name: maps[name] for name in ('max_logit', 'energy', 'mutual_information')}
        sample.uncertainty = PixelData(**kept)
    assert evaluate(samples, scores=SCORES) == found
    assert len(softmaxes) == 3


def test_the_given_distribution_counts(samples):
    """It goes before softmax of the logits, for all that follows from it."""
    (sample, *_) = samples
    given = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(0))
    given /= given.sum(0)
    sample.probabilities = PixelData(data=given)
    prediction = read_prediction(sample.to_dict(), 4, SCORES)
    np.testing.assert_array_equal(prediction.confidence, given.max(0).values)
    np.testing.assert_array_equal(prediction.maps['msp'], 1 - given.max(0).values)
    entropy = -(given * given.log()).sum(0)
    np.testing.assert_allclose(prediction.maps['entropy'], entropy, atol=1e-6)
    np.testing.assert_array_equal(
        prediction.maps['max_logit'], -sample.seg_logits.data.max(0).values
    )
    # without logits there are the scores that follow from it
    del sample.seg_logits
    prediction = read_prediction(sample.to_dict(), 4, ('msp', 'entropy'))
    np.testing.assert_array_equal(prediction.confidence, given.max(0).values)
    assert prediction.logits is None
    sample.probabilities = PixelData(data=given.half())
    assert read_prediction(sample.to_dict(), 4, ()).p.dtype == torch.float32


@pytest.mark.parametrize('name', ['msp', 'entropy', 'max_logit', 'energy'])
def test_a_map_of_the_model_needs_no_softmax(name, samples, softmaxes):
    content = samples[0].to_dict()
    computed = read_score(content, name)
    assert len(softmaxes) == (name in ('msp', 'entropy'))
    softmaxes.clear()
    content['uncertainty'] = {name: torch.full((1, *SHAPE), 0.25)}
    given = read_score(content, name)
    assert not softmaxes
    np.testing.assert_array_equal(given, np.full(SHAPE, 0.25, np.float32))
    assert not np.array_equal(given, computed)


def test_probabilities_of_another_shape(samples):
    samples[0].set_data({'probabilities': PixelData(data=torch.full((3, *SHAPE), 1 / 3))})
    message = r'`probabilities` must have shape \(4, 12, 17\).* 4 classes .*, got \(3, 12, 17\)'
    with pytest.raises(ValueError, match=message):
        evaluate(samples)
