"""What the results of a metric are called, and how they are shown and written."""

import csv
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger, print_log

NOT_FINITE = 'not_finite'
"""Key of the words for numbers that JSON does not know, see :func:`not_finite`."""

WORDS = {'infinite': math.inf, '-infinite': -math.inf, 'not a number': math.nan}
"""These words, and what they stand for."""

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


def finite(value: Any) -> Any:
    """Replace numbers that JSON does not know, infinities and NaN, by None; in all that is inside.

    Args:
        value: Numbers, texts, mappings and sequences; NumPy's numbers become Python's.
    """
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    number = float(value)
    return number if math.isfinite(number) else None


def not_finite(numbers: Mapping[str, Any]) -> dict[str, str]:
    """Say what the numbers are that :func:`finite` replaces.

    Args:
        numbers: Numbers by name, and whatever else, which is passed over.

    Returns:
        Name to ``'infinite'``, ``'-infinite'`` or ``'not a number'``, of these numbers only.
    """
    words = {}
    for name, value in numbers.items():
        if value is None or isinstance(value, (str, bool, int, Mapping, list, tuple)):
            continue
        number = float(value)
        if math.isnan(number):
            words[name] = 'not a number'
        elif math.isinf(number):
            words[name] = 'infinite' if number > 0 else '-infinite'
    return words


def with_words(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Make numbers ready for JSON: None and, under ``not_finite``, a word for what is infinite."""
    words = not_finite(numbers)
    return finite(numbers) | ({NOT_FINITE: words} if words else {})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a report; see :func:`finite` for infinities in it."""
    text = json.dumps(finite(content), indent=2, allow_nan=False)
    path.write_text(text + '\n', encoding='utf-8')


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows of the same or of different columns.

    An undefined number is an empty cell, an infinite one is ``inf``.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_files(folder: Path, writers: Mapping[str, Callable[[Path], Any]]) -> None:
    """Write files, each whatever becomes of the others: no figure is lost by a file.

    Args:
        folder: Made if it does not exist.
        writers: Name of a file to what writes it, given its path. One that fails, for want of
            space or of a package, is named in a warning.
    """
    for name, write in writers.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write(folder / name)
        except Exception as error:
            print_log(
                f'{folder / name} could not be written, the figures above are complete: '
                f'{type(error).__name__}: {error}',
                MMLogger.get_current_instance(),
                logging.WARNING,
            )
