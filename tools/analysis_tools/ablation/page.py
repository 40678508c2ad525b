"""The page of an ablation: Markdown and pictures, from stored numbers alone."""

import os
from collections.abc import Sequence
from pathlib import Path

from comparison.tables import metric_columns

from .ablation_figure import Curve, CurvePoint, Panel, ablation_figure
from .results import Results
from .summary import ResultRow, summarize_group
from .tables import EXPLANATION, OVERVIEW, markdown_table, overview_table
from .variants import DETERMINISTIC, Ablation, Group

_DPI = 80


def write_page(page: Path, pictures: Path, ablation: Ablation, results: Results) -> list[Path]:
    """Write the page, and a picture for each group that varies a number.

    Args:
        page: The Markdown file.
        pictures: What the names of the pictures begin with, ``<pictures>_<group>.png``.
        ablation: The list: groups, questions, remarks.
        results: The stored numbers.

    Returns:
        The files that were written.

    Raises:
        ValueError: If nothing is stored.
    """
    if not results.entries:
        raise ValueError('no results are stored yet: run the ablation first')
    page.parent.mkdir(parents=True, exist_ok=True)
    pictures.parent.mkdir(parents=True, exist_ok=True)
    found = [(group, *summarize_group(group, results)) for group in ablation.groups]
    parts = [
        f'# Ablation: {ablation.title}',
        _introduction(results),
        OVERVIEW,
        overview_table([(group, rows) for group, rows, _ in found]),
        '## Details',
        f'{EXPLANATION} All numbers of each seed, and those pooled over pixels, are in '
        f'[{pictures.name}.json]({_link(pictures.with_suffix(".json"), page)}).',
        *_folded('How it was measured', _settings(results)),
    ]
    written = [page]
    for group, rows, missing in found:
        own = [row for row in rows if row.variant in group.variants]
        inner = [group.remark] if group.remark else []
        inner += [f'Mean over images, in percent:\n\n{markdown_table(rows)}'] if own else []
        picture = pictures.with_name(f'{pictures.name}_{group.name}.png')
        panels = group_panels(group, rows)
        if panels:
            figure = ablation_figure(panels, group.axis, DETERMINISTIC)
            figure.savefig(picture, dpi=_DPI)
            written.append(picture)
            inner.append(
                f'![{group.title}]({_link(picture, page)})\n\n'
                f'*Means over images, in percent; score: {group.scores[0]}.*'
            )
        else:
            picture.unlink(missing_ok=True)
        inner += [_measured(own, results)] if own else []
        inner += [f'Not measured: {", ".join(missing)}.'] if missing else []
        parts += _folded(f'<b>{group.title}.</b> {group.question}', inner)
    text = '\n\n'.join(parts)
    page.write_text(f'{text}\n', encoding='utf-8')
    return written


def _link(path: Path, page: Path) -> str:
    return os.path.relpath(path, page.parent).replace(os.sep, '/')


def _folded(summary: str, inner: Sequence[str]) -> list[str]:
    return [f'<details>\n<summary>{summary}</summary>', *inner, '</details>']


def _introduction(results: Results) -> str:
    facts = results.facts
    return (
        f'Measured on {facts["split"]} (`{facts["data_root"]}`), with `{facts["config"]}` and '
        f'the network of `{facts["base"]}`, by `tools/analysis_tools/ablation.py`. The reference '
        'is the ABNN as that config has it: in every group the others differ from it in what is '
        'named. A seed is that of the network, of its fine-tuning and of the noise.'
    )


def _settings(results: Results) -> list[str]:
    facts, parts = results.facts, []
    if facts['reference']:
        settings = ', '.join(f'`{key}={value!r}`' for key, value in facts['reference'].items())
        parts.append(f'The reference is the ABNN with {settings}.')
    for key, what in (('train', 'training'), ('test', 'test')):
        if facts.get(key):
            options = ', '.join(f'`{name}={text}`' for name, text in facts[key].items())
            parts.append(f'Options of each {what}: {options}.')
    return parts


def _measured(rows: Sequence[ResultRow], results: Results) -> str:
    seeds = sorted({seed for row in rows for seed in row.seeds})
    count = f'{len(seeds)} seeds' if len(seeds) > 1 else '1 seed'
    return f'{count} ({", ".join(map(str, seeds))}); measured on {results.facts["split"]}.'


def group_panels(group: Group, rows: Sequence[ResultRow]) -> list[Panel]:
    """Return what is drawn of a group: its first score, means over images; nothing without values.

    Args:
        group: The group.
        rows: As :func:`summarize_group` returns them.
    """
    rows = [row for row in rows if row.score == group.scores[0]]
    drawn = [row for row in rows if row.variant.value is not None]
    if not drawn:
        return []
    base = next((row for row in rows if row.variant.kind == DETERMINISTIC), None)
    series = list(dict.fromkeys(row.variant.series for row in drawn))
    panels = []
    for column in metric_columns():
        level = base and base.values[column.key]
        curves = tuple(
            Curve(name, _points([row for row in drawn if row.variant.series == name], column.key))
            for name in series
        )
        panels.append(Panel(column.title, curves, level.mean if level else None))
    return panels


def _points(rows: Sequence[ResultRow], key: str) -> tuple[CurvePoint, ...]:
    points = []
    for row in rows:
        value, found = row.variant.value, row.values[key]
        if value is not None and found is not None:
            points.append(CurvePoint(value, found.mean, found.standard_error))
    return tuple(points)
