"""Segmentors."""

from .mc_encoder_decoder import MCCascadeEncoderDecoder, MCEncoderDecoder, MonteCarloSegmentor
from .mc_seg_tta_model import MCSegTTAModel
from .segmentor_logits import SegmentorLogits

__all__ = [
    'MCCascadeEncoderDecoder',
    'MCEncoderDecoder',
    'MCSegTTAModel',
    'MonteCarloSegmentor',
    'SegmentorLogits',
]
