"""Words that errors of all parts share; needs nothing but Python."""

import difflib
import os
from collections.abc import Iterable, Sequence


def did_you_mean(names: str | Sequence[str], allowed: Iterable[str]) -> str:
    """Return a question for the closest of the allowed names, such as `` (did you mean 'a'?)``.

    Args:
        names: What was given, a name or several.
        allowed: The names that there are.

    Returns:
        The text, '' if no allowed name is close.
    """
    several, known = [names] if isinstance(names, str) else names, list(allowed)
    close = [match for name in several for match in difflib.get_close_matches(name, known, n=1)]
    return f' (did you mean {", ".join(map(repr, close))}?)' if close else ''


def located(path: str | os.PathLike) -> str:
    """Return a path as a message states it: with the folder that it is relative to, if it is."""
    text = os.fspath(path)
    if os.path.isabs(os.path.expanduser(text)):
        return text
    return f'{text} (relative to {os.getcwd()})'
