"""The name of the section `abnn`, misspelt."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config

from .abnn_settings import SECTION, ABNNSettings

_MEMBERS = 'num_members'


def check_no_misspelt_section(cfg: Config) -> None:
    """Raise ValueError if a config without the section seems to have it under another name.

    MMEngine ignores top-level names that it does not know, as configs have variables of their own:
    the plain network would be trained. What is found is a dict (or for ``num_members`` an int)
    whose name is nearly ours; a dict of a ``type``, such as an activated batch normalization that
    a config calls ``abn``, is none.

    Args:
        cfg: A config in which :func:`expand_abnn_section` finds no section.
    """
    if SECTION in cfg or _MEMBERS in cfg:
        return
    for name in cfg:
        if _is_section(str(name), cfg[name]):
            raise ValueError(_sentence(str(name), SECTION))
        if isinstance(cfg[name], int) and _is_like(str(name), _MEMBERS, 0.9):
            raise ValueError(_sentence(str(name), _MEMBERS))


def check_options(options: Iterable[str]) -> None:
    """Raise ValueError if an option of the command line, such as ``anbb.alpha``, misspells ours."""
    for option in options:
        name, _, setting = option.partition('.')
        if name != SECTION and _is_section(name, {setting.partition('.')[0]: None}):
            raise ValueError(f'--cfg-options {option}: did you mean `{SECTION}.{setting}`?')


def _sentence(name: str, ours: str) -> str:
    return (
        f'the config has `{name}`, which nothing reads, and no `{ours}`: did you mean `{ours}`? '
        'Give the variable another name if not'
    )


def _letters(name: str) -> str:
    return ''.join(letter for letter in name.lower() if letter.isalpha())


def _is_like(name: str, ours: str, similarity: float) -> bool:
    return bool(get_close_matches(_letters(name), [_letters(ours)], cutoff=similarity))


def _is_section(name: str, value: Any) -> bool:
    if not isinstance(value, Mapping) or 'type' in value:
        return False
    letters = _letters(name)
    if letters[:1] == 'a' and set(letters) == set(SECTION) and len(letters) <= len(SECTION) + 1:
        return True  # in other cases, with letters doubled, left out or in another order
    known = set(ABNNSettings.names())
    like = _is_like(name, SECTION, 0.75) or SECTION in name.lower().split('_')
    return like and bool(value) and set(value) <= known
