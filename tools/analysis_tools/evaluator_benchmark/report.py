"""Comparison with scikit-learn, as a table and as a figure."""

from itertools import zip_longest

from matplotlib.figure import Figure
from prettytable import PrettyTable

from .contenders import CONTENDERS, EVERYTHING, METRICS, Row

COLUMNS = ['images', 'contender', 'seconds', 'Mpx/s', 'speed-up', 'peak MB', 'less memory']
COLUMNS += [*(f'{name} error' for name in METRICS), 'distance of bounds']
NOTES = """\
speed-up, less memory: scikit-learn's seconds and peak memory at the same size, divided by those of
the row; for 'everything', those of 'everything: scikit-learn'. Errors: distance to scikit-learn's
values, in [0, 1]; these lie inside the bounds or OUTSIDE. Peak MB: growth of the process' peak
memory, in 2^20 bytes."""


def compare(row: Row, other: Row) -> Row:
    """Return how a contender stands to scikit-learn at the same size."""
    values, truth = row['values'], other['values']
    found: Row = {
        'speedup': other['median_seconds'] / row['median_seconds'],
        'memory_ratio': other['median_peak_mb'] / row['median_peak_mb'],
        'errors': {name: abs(values[name] - truth[name]) for name in METRICS},
    }
    if 'gap' in values:
        bounds = {name: values[f'{name}_bounds'] for name in METRICS}
        found['inside'] = all(low <= truth[name] <= high for name, (low, high) in bounds.items())
    if 'means' in values:
        means = truth['means'].items()
        found['mean_errors'] = {key: abs(values['means'][key] - mean) for key, mean in means}
    return found


def cells(row: Row) -> list[str]:
    """Return a row of the table as text."""
    start = [str(row['images']), row['contender']]
    if row['not_run']:
        return [start[0], f'{start[1]} (not run: {row["not_run"]})', *['-'] * (len(COLUMNS) - 2)]
    verdict = {None: '', True: ', inside', False: ', OUTSIDE'}[row.get('inside')]
    return [
        *start,
        f'{row["median_seconds"]:.3f}',
        f'{row["megapixels_per_second"]:.2f}',
        f'{row["speedup"]:.2f}x' if 'speedup' in row else '-',
        f'{row["median_peak_mb"]:.0f}',
        f'{row["memory_ratio"]:.2f}x' if 'memory_ratio' in row else '-',
        *(f'{row["errors"][name]:.1e}' if 'errors' in row else '-' for name in METRICS),
        f'{row["values"]["gap"]:.1e}{verdict}' if 'gap' in row['values'] else '-',
    ]


def text_table(rows: list[Row]) -> str:
    """Return the table for a terminal."""
    table = PrettyTable(COLUMNS, align='r')
    table.align['contender'] = 'l'
    for row, after in zip_longest(rows, rows[1:]):
        table.add_row(cells(row), divider=after is None or after['images'] != row['images'])
    return table.get_string()


def figure(rows: list[Row]) -> Figure:
    """Draw speed and memory over the number of images."""
    fig = Figure(figsize=(11, 5.2), layout='constrained')
    panels = fig.subplots(1, 2)
    colors = ['red', 'blue', 'green', 'olive', 'gray', 'red', 'blue']
    for name, color in zip(CONTENDERS, colors, strict=True):
        done = [row for row in rows if row['contender'] == name and not row['not_run']]
        style = '--s' if name.startswith(EVERYTHING) else '-o'
        for axes, key in zip(panels, ('megapixels_per_second', 'median_peak_mb'), strict=True):
            x, y = [row['images'] for row in done], [row[key] for row in done]
            axes.plot(x, y, style, color=f'tab:{color}', label=name, markersize=4)
    sizes = sorted({row['images'] for row in rows})
    for axes, title in zip(panels, ('megapixels per second', 'peak memory in MB'), strict=True):
        axes.set(xscale='log', yscale='log', xlabel='images', title=title)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set_xticks([], minor=True)
        axes.yaxis.set_major_formatter('{x:g}')
        axes.grid(alpha=0.3)
    fig.legend(*panels[0].get_legend_handles_labels(), loc='outside lower center', ncols=4)
    return fig
