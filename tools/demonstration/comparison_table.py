"""Methods side by side, from the numbers of ``UncertaintyMetric``."""

from collections.abc import Mapping, Sequence

from prettytable import PrettyTable

from mmseg_abnn.evaluation.metrics.common.results import DETECTION, key_prefix, percent

_BETTER = {'mIoU': '↑', 'ECE': '↓', 'AUPR': '↑', 'AUROC': '↑', 'FPR95': '↓'}


def comparison_table(results: Mapping[str, Mapping[str, float]], scores: Sequence[str]) -> str:
    """Lay out several methods side by side, first as means over images, then pooled over pixels.

    A row is a method and a score. A score that a method does not have is left out, except for
    the first; absent numbers show as '-'. mIoU does not depend on the score, and is always from
    the summed confusion matrix.

    Args:
        results: Name of the method to its numbers in percent, as ``UncertaintyMetric`` returns
            them.
        scores: The scores, in the metric's order: the first one has no name in its keys.

    Returns:
        Two tables with two decimals; arrows say which direction is better.

    Raises:
        ValueError: If there is no method or no score.
    """
    if not results:
        raise ValueError('`results` must hold at least one method')
    if not scores:
        raise ValueError('`scores` must hold at least one score')
    blocks = []
    for title, pooled in (('mean over images', ''), ('pooled over pixels', 'pooled/')):
        table = PrettyTable(
            ['method', 'score', *(f'{name} {arrow}' for name, arrow in _BETTER.items())]
        )
        table.align['method'] = 'l'
        table.align['score'] = 'l'
        for method, numbers in results.items():
            for score in scores:
                prefix = pooled + key_prefix(score, scores)
                keys = ['mIoU', f'{pooled}ECE', *(prefix + name for name in DETECTION)]
                if score == scores[0] or any(key in numbers for key in keys[2:]):
                    table.add_row([method, score, *(percent(numbers.get(key)) for key in keys)])
        blocks.append(f'{title}, in percent\n{table.get_string()}')
    return '\n\n'.join(blocks)
