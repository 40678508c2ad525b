"""Counts of any number of scores in constant memory that add up, and bounds from them."""

from .histogram import ScoreCells, ScoreHistogram
from .selective import aurc_bounds

__all__ = ['ScoreCells', 'ScoreHistogram', 'aurc_bounds']
