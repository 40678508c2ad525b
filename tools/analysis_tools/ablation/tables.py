"""The tables of an ablation, for the terminal and as Markdown."""

from collections.abc import Sequence

from prettytable import PrettyTable

from comparison.summary import Estimate
from comparison.tables import TITLES, UNDEFINED, metric_columns

from .summary import ResultRow

EXPLANATION = (
    'Mean ± standard error over the seeds, and below it in brackets the difference to the '
    'deterministic network with the same score, paired by seed.'
)
_LEFT = 2  # columns of text


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


def markdown_tables(rows: Sequence[ResultRow]) -> str:
    """Lay out the same tables as Markdown."""
    blocks = []
    for title, pooled in TITLES:
        heads = _heads(pooled)
        ruler = ['---'] * _LEFT + ['---:'] * (len(heads) - _LEFT)
        lines = [heads, ruler, *(_cells(row, pooled, '<br>') for row in rows)]
        text = '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)
        blocks.append(f'{title[0].upper()}{title[1:]}, in percent:\n\n{text}')
    return '\n\n'.join(blocks)


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
