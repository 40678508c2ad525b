"""The small segmentor, sampling, and its predictions."""

import torch
from mmseg.structures import SegDataSample

from helpers.networks import build_segmentor
from mmseg_abnn.conversion import convert_to_abnn
from mmseg_abnn.models.member_bank import member_tensors


def build(alpha=0.2, test_cfg=None):
    """Build the segmentor that samples, converted."""
    model = build_segmentor(type='MCEncoderDecoder', test_cfg=test_cfg or dict(mode='whole'))
    convert_to_abnn(model, alpha=alpha)
    return model


def perturbed(model, seed):
    """Return a member of a network that is nothing special."""
    generator = torch.Generator().manual_seed(seed)
    return {
        n: t + 0.3 * torch.randn(t.shape, generator=generator)
        for n, t in member_tensors(model, model.state_dict()).items()
    }


def samples(count, ori_shape, **meta):
    """Return data samples of images that were 32 x 48 pixels large when the network saw them."""
    meta = dict(ori_shape=ori_shape, img_shape=(32, 48), pad_shape=(32, 48), **meta)
    return [SegDataSample(metainfo=meta) for _ in range(count)]


def predict(model, x, data_samples=None):
    """Predict a batch without gradients."""
    with torch.no_grad():
        return model.predict(x, data_samples)
