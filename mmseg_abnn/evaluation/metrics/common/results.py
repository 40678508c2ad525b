"""What the results of a metric are called, and how they are shown and written."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPORT_FILE = 'report.json'

DETECTION = ('AUPR', 'AUROC', 'FPR95')
"""Names of the numbers of OOD detection."""

Row = dict[str, Any]
"""Numbers of one image by name, ready for JSON; None where a number is undefined."""


def key_prefix(score: str, scores: Sequence[str]) -> str:
    """What stands before a score's ``AUPR``, ``AUROC`` and ``FPR95``: nothing for the first one."""
    return '' if score == scores[0] else f'{score}/'


def percent(value: float | None, bounds: tuple[float, float] | None = None, digits: int = 2) -> str:
    """Format a number with two decimals, an absent one as '-'.

    Args:
        value: The number.
        bounds: Its bounds; shown behind it if they differ in the digits that are shown.
        digits: Number of decimals.
    """
    if value is None:
        return '-'
    text = f'{value:.{digits}f}'
    if bounds is not None:
        low, high = (f'{bound:.{digits}f}' for bound in bounds)
        if low != high:
            text += f' [{low}, {high}]'
    return text


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a report; a NaN or an infinity in it is an error."""
    text = json.dumps(content, indent=2, allow_nan=False)
    path.write_text(text + '\n', encoding='utf-8')


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows of the same or of different columns; an undefined number is an empty cell."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
