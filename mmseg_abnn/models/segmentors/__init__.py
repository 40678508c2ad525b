"""Segmentors."""

from .mc_encoder_decoder import MCEncoderDecoder

__all__ = ['MCEncoderDecoder']
