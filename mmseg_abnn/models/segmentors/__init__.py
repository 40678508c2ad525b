"""Segmentors."""

from .mc_encoder_decoder import MCCascadeEncoderDecoder, MCEncoderDecoder
from .mc_seg_tta_model import MCSegTTAModel
from .monte_carlo import MonteCarloSegmentor

__all__ = ['MCCascadeEncoderDecoder', 'MCEncoderDecoder', 'MCSegTTAModel', 'MonteCarloSegmentor']
