"""Variants of one ABNN side by side: what each setting does, over several seeds."""

from .bench import Bench
from .page import write_page
from .quick import make_small
from .reading import check_files, read_ablation
from .results import Results, load_results, save_results
from .summary import ResultRow, summarize_group
from .tables import EXPLANATION, text_tables
from .variants import Ablation, Group, Variant, variants_of

__all__ = [
    'EXPLANATION',
    'Ablation',
    'Bench',
    'Group',
    'ResultRow',
    'Results',
    'Variant',
    'check_files',
    'load_results',
    'make_small',
    'read_ablation',
    'save_results',
    'summarize_group',
    'text_tables',
    'variants_of',
    'write_page',
]
