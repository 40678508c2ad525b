"""What enters a metric: its arguments, and the fields of a data sample."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.structures import BaseDataElement

from ...functional import FPR_RULES


def check_shared_arguments(
    scores: Sequence[str], ece_bins: int, fpr_rule: str, collect_device: str
) -> None:
    """Raise ValueError, naming the argument, if one is not allowed."""
    if collect_device not in ('cpu', 'gpu'):
        raise ValueError(f"`collect_device` must be 'cpu' or 'gpu', got {collect_device!r}")
    _check_scores(scores)
    if not is_int(ece_bins) or ece_bins < 1:
        raise ValueError(f'`ece_bins` must be an integer >= 1, got {ece_bins!r}')
    if fpr_rule not in FPR_RULES:
        raise ValueError(f'`fpr_rule` must be one of {FPR_RULES}, got {fpr_rule!r}')


def is_int(value: Any) -> bool:
    """Tell whether a value is an integer, which booleans are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _check_scores(scores: Sequence[str]) -> None:
    """Scores name metric keys and files, so they are plain words; see the class docstring."""
    if isinstance(scores, str) or not isinstance(scores, Sequence) or not scores:
        raise ValueError(f'`scores` must be a non-empty sequence of names, got {scores!r}')
    for name in scores:
        # `pooled/AUPR` must not be ambiguous.
        if not isinstance(name, str) or not name.isidentifier() or name in ('pooled', 'pred'):
            raise ValueError(
                "`scores` must hold names of letters, digits and '_' other than 'pooled' and "
                f"'pred', got {name!r}"
            )
    if len(set(scores)) != len(scores):
        raise ValueError(f'`scores` must not hold a name twice, got {tuple(scores)}')


def read_fields(sample: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a field of a data sample as a mapping; it is a dict or, inside a dict, PixelData."""
    if name not in sample:
        raise ValueError(f'the data sample has no `{name}`, only {sorted(sample)}')
    value = sample[name]
    return value.to_dict() if isinstance(value, BaseDataElement) else value


def given_scores(sample: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the uncertainty scores that the model has put into a data sample, by name."""
    return read_fields(sample, 'uncertainty') if 'uncertainty' in sample else {}
