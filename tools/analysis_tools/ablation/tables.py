"""The tables of an ablation, for the terminal and as Markdown."""

from collections.abc import Sequence

from prettytable import PrettyTable

from comparison.summary import Estimate
from comparison.tables import TITLES, UNDEFINED, metric_columns

from .summary import ResultRow, extreme_rows
from .variants import Group

EXPLANATION = (
    'Mean ± standard error over the seeds, and below it in brackets the difference to the '
    'deterministic network with the same score, paired by seed.'
)
OVERVIEW = (
    'Answers are written by hand. Figures are chosen by a rule: of the variants of a question and '
    'the reference, first the one with the highest AUPR, then the one with the lowest. They are '
    'differences to the deterministic network in points, with the first score of the table below: '
    'mean over images and seeds ± standard error. Good are positive ones of AUPR (average '
    'precision of OOD pixels) and mIoU, negative ones of FPR95 (false positives at 95% recall) '
    'and ECE.'
)
_LEFT = 2  # columns of text
_OF_OVERVIEW = ('AUPR', 'FPR95', 'mIoU', 'ECE')


def text_tables(rows: Sequence[ResultRow]) -> str:
    """Lay out the means over images, then the numbers pooled over pixels, for a terminal."""
    blocks = []
    for title, pooled in TITLES:
        table = PrettyTable(_heads(pooled))
        table.align = 'r'
        table.align['variant'] = table.align['score'] = 'l'
        table.add_rows([_cells(row, pooled, '\n') for row in rows])
        blocks.append(f'{title}, in percent\n{table.get_string()}')
    return '\n\n'.join(blocks)


def markdown_table(rows: Sequence[ResultRow]) -> str:
    """Lay out the means over images as Markdown."""
    heads = _heads('')
    ruler = ['---'] * _LEFT + ['---:'] * (len(heads) - _LEFT)
    return _markdown([heads, ruler, *(_cells(row, '', '<br>') for row in rows)])


def overview_table(groups: Sequence[tuple[Group, Sequence[ResultRow]]]) -> str:
    """Lay out a row for each question, as Markdown: its answer, and the figures behind it.

    Args:
        groups: The groups, each with its rows as ``summarize_group`` returns them.
    """
    lines = [['question', 'answer', 'figures'], ['---'] * 3]
    for group, rows in groups:
        figures = [_figures(row) for row in extreme_rows(group, rows)] or ['not measured']
        lines.append([f'**{group.title}.** {group.question}', group.answer, '<br>'.join(figures)])
    return _markdown(lines)


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def _figures(row: ResultRow) -> str:
    found = [f'{key} {_number(row.differences[key], "+.2f")}' for key in _OF_OVERVIEW]
    count = len(row.seeds)
    seeds = '1 seed' if count == 1 else f'{count} seeds'
    return f'*{row.variant.name}* ({seeds}): {", ".join(found)}'


def _heads(pooled: str) -> list[str]:
    return ['variant', 'score', 'seeds', *(column.title for column in metric_columns(pooled))]


def _cells(row: ResultRow, pooled: str, end_of_line: str) -> list[str]:
    cells = [row.variant.name, row.score, str(len(row.seeds))]
    for column in metric_columns(pooled):
        lines = [_number(row.values.get(column.key), '.2f')]
        if row.differences:
            lines.append(f'({_number(row.differences[column.key], "+.2f")})')
        cells.append(end_of_line.join(lines))
    return cells


def _number(value: Estimate | None, form: str) -> str:
    if value is None:
        return UNDEFINED
    error = value.standard_error
    return f'{value.mean:{form}}' + ('' if error is None else f' ± {error:.2f}')
