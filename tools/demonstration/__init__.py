"""What the demos share: running the tools one after the other, and a table of methods."""

from .comparison_table import comparison_table
from .stages import Stages

__all__ = ['Stages', 'comparison_table']
