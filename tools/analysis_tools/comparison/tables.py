"""The table of a comparison: for the terminal, as Markdown, and as CSV."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prettytable import PrettyTable

from .summary import POOLED, Estimate, Row

UNDEFINED = '-'
TITLES = (('mean over images', ''), ('pooled over pixels', POOLED))
_Values = Mapping[str, Estimate | None]


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        title: Its head; the arrow says which direction is better.
        key: Name of the number in :attr:`Row.values`.
        number: Formats a number.
        behind: Returns what stands behind it in the cell, of all values of the row.
        of_method: Whether it is a cost, which does not depend on the score.
    """

    title: str
    key: str
    number: Callable[[float], str]
    behind: Callable[[_Values], str] = lambda values: ''
    of_method: bool = False

    @property
    def sign(self) -> int:
        """1 if high numbers are better, else -1."""
        return 1 if self.title.endswith('↑') else -1

    def cell(self, values: _Values) -> str:
        """Return the cell of a row."""
        value = values[self.key]
        if value is None:
            return UNDEFINED
        error = value.standard_error
        spread = '' if error is None else f' ± {self.number(error)}'
        if self.of_method and error == 0:  # a cost that does not depend on the seed
            spread = ''
        return f'{self.number(value.mean)}{spread}{self.behind(values)}'


def table_columns(pooled: str = '') -> list[Column]:
    """Return the columns after method and score.

    Args:
        pooled: ``''`` for means over images, ``'pooled/'`` for all pixels at once.
    """
    costs = [
        ('training time ↓', 'training_time', _ratio, _added('training_time', _ratio)),
        (
            'trained parameters ↓',
            'trained_parameters',
            _count,
            _added('trained_parameters', _count),
        ),
        ('prediction time ↓', 'prediction_time', _ratio, lambda values: ''),
        ('storage ↓', 'storage', _megabytes, _share),
    ]
    return metric_columns(pooled) + [Column(*cost, of_method=True) for cost in costs]


def metric_columns(pooled: str = '') -> list[Column]:
    """Return the columns of what is measured, without costs.

    Args:
        pooled: As for :func:`table_columns`.
    """
    return [
        Column('mIoU ↑', 'mIoU', _two_decimals),
        Column('ECE ↓', f'{pooled}ECE', _two_decimals),
        Column('AUPR ↑', f'{pooled}AUPR', _two_decimals),
        Column('AUROC ↑', f'{pooled}AUROC', _two_decimals),
        Column('FPR95 ↓', f'{pooled}FPR95', _two_decimals),
    ]


def text_tables(rows: Sequence[Row]) -> str:
    """Lay out the means over images, then the numbers pooled over pixels, for a terminal."""
    blocks = []
    for title, pooled in TITLES:
        columns = table_columns(pooled)
        table = PrettyTable(_heads(columns))
        table.align = 'r'
        table.align['method'] = table.align['score'] = 'l'
        table.add_rows(list(_cells(rows, columns)))
        blocks.append(f'{title}, in percent\n{table.get_string()}')
    return '\n\n'.join(blocks)


def markdown_tables(rows: Sequence[Row]) -> str:
    """Lay out the same tables as Markdown, with the best cells of each column in bold.

    Cells are equally good if their means look the same.
    """
    blocks = []
    for title, pooled in TITLES:
        columns = table_columns(pooled)
        marks = [_best(column, rows) for column in columns]
        lines = [_heads(columns), ['---', '---', *('---:' for _ in columns)]]
        for row, cells in zip(rows, _cells(rows, columns), strict=True):
            bold = [
                f'**{cell}**' if cell and _mean(column, row) == mark else cell
                for cell, column, mark in zip(cells[2:], columns, marks, strict=True)
            ]
            lines.append([*cells[:2], *bold])
        text = '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)
        blocks.append(f'{title[0].upper()}{title[1:]}, in percent:\n\n{text}')
    return '\n\n'.join(blocks)


def csv_table(rows: Sequence[Row]) -> str:
    """Write all values of all rows in full precision, each with its standard error behind it."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator='\n')
    names = list(rows[0].values)
    heads = [head for name in names for head in (name, f'{name} standard error')]
    writer.writerow(['method', 'score', *heads])
    for row in rows:
        found = [row.values[name] for name in names]
        numbers = [
            n for v in found for n in ((None, None) if v is None else (v.mean, v.standard_error))
        ]
        writer.writerow([row.method, row.score, *numbers])
    return file.getvalue()


def _heads(columns: Sequence[Column]) -> list[str]:
    return ['method', 'score', *(column.title for column in columns)]


def _cells(rows: Sequence[Row], columns: Sequence[Column]) -> Iterator[list[str]]:
    """Yield the cells of each row; costs stand in a method's first row only."""
    before = None
    for row in rows:
        first, before = row.method != before, row.method
        cells = [
            column.cell(row.values) if first or not column.of_method else '' for column in columns
        ]
        yield [row.method, row.score, *cells]


def _best(column: Column, rows: Sequence[Row]) -> str | None:
    values = [value for row in rows if (value := row.values[column.key]) is not None]
    if not values:
        return None
    return column.number(max(values, key=lambda value: column.sign * value.mean).mean)


def _mean(column: Column, row: Row) -> str:
    value = row.values[column.key]
    return UNDEFINED if value is None else column.number(value.mean)


def _added(name: str, number: Callable[[float], str]) -> Callable[[_Values], str]:
    """Say how much of a cost came after the training that the reference shares, if it does."""

    def text(values: _Values) -> str:
        value, added = values[name], values[f'added_{name}']
        if value is None or added is None or added.mean in (0, value.mean):
            return ''
        return f' (+{number(added.mean)})'

    return text


def _share(values: _Values) -> str:
    share = values['storage_share']
    return '' if share is None or not share.mean else f' ({100 * share.mean:+.2f} %)'


def _two_decimals(value: float) -> str:
    return f'{value:.2f}'


def _ratio(value: float) -> str:
    return f'{value:.2f}'


def _count(value: float) -> str:
    return f'{value:,.0f}'


def _megabytes(value: float) -> str:
    return f'{value / 1e6:.2f} MB'
