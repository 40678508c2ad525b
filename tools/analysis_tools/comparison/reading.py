"""Reading the list of what is compared, and saying what is wrong with it before anything runs.

A list is a config file of MMEngine:

    title = 'MiniStreets'
    seeds = [0, 1, 2]
    reference = 'deterministic'  # the method that costs are relative to
    methods = [
        dict(
            name='deterministic',
            config='configs/...py',
            checkpoint='work_dirs/{seed}/iter_700.pth',
            scores=['msp', 'entropy'],  # as of UncertaintyMetric; the first one heads the table
            trained_in=['work_dirs/{seed}'],  # optional: work dirs whose training is its cost
            options={'model.test_cfg.seed': '{seed}'},  # optional: as --cfg-options
        ),
    ]

``{seed}`` is filled in; paths are relative to the working directory. Other names of the file must
begin with an underscore.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from mmseg_abnn.messages import did_you_mean, located
from mmseg_abnn.package_configs import find_config

from .methods import SEED, Comparison, Method

_KEYS = ('title', 'seeds', 'reference', 'methods')
_OF_METHOD = ('name', 'config', 'checkpoint', 'scores')
_OPTIONAL = ('trained_in', 'options')


def read_comparison(path: str, seeds: Sequence[int] | None = None) -> Comparison:
    """Read a list and check all that can be told without its configs.

    Args:
        path: The config file.
        seeds: Seeds in place of the file's.

    Raises:
        FileNotFoundError: If there is no such file, or configs or checkpoints are missing; the
            message names all of them.
        ValueError: If a setting is missing, unknown or unusable.
    """
    content = read_list(path, required=_KEYS, allowed=_KEYS)
    if seeds is not None:
        content['seeds'] = list(seeds)
    check_text('the list', 'title', content['title'])
    check_seeds(content['seeds'])
    if not isinstance(content['methods'], (list, tuple)) or not content['methods']:
        raise ValueError(f'`methods` must be a list of dicts, got {content["methods"]!r}')
    methods = tuple(_read_method(entry, i) for i, entry in enumerate(content['methods']))
    _check_names(methods, content['reference'])
    comparison = Comparison(
        content['title'], tuple(content['seeds']), content['reference'], methods
    )
    _check_seeds_matter(comparison)
    _check_files(comparison)
    return comparison


def option_text(value: Any) -> str:
    """Write the value of an option as ``--cfg-options`` takes it.

    Args:
        value: A text, number, bool or None, or a list or tuple of such.

    Raises:
        ValueError: If the command line cannot say it: a dict, or a text that it would read as
            something else.
    """
    if isinstance(value, (list, tuple)):
        items = ','.join(map(option_text, value))
        text = f'[{items}]' if isinstance(value, list) else f'({items},)'
    else:
        text = str(value)
    try:
        said = DictAction._parse_iterable(text)
    except AssertionError:  # a bracket without its counterpart
        said = None
    if said != value or type(said) is not type(value):
        raise ValueError(
            f'{value!r} cannot be given on a command line, which reads {text!r} as {said!r}; '
            "nested settings are written with dots, as in {'model.test_cfg.seed': 1}"
        )
    return text


def read_list(path: str, required: Sequence[str], allowed: Sequence[str]) -> dict[str, Any]:
    """Return the settings of a list, but for names that begin with an underscore.

    Args:
        path: The config file.
        required: Settings that it must hold.
        allowed: All settings that it may hold.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a setting is missing or unknown.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no list {located(path)}')
    content = {k: v for k, v in Config.fromfile(path).to_dict().items() if not k.startswith('_')}
    check_keys('the list', content, required, allowed)
    return content


def check_keys(
    where: str, entry: Mapping[str, Any], required: Sequence[str], allowed: Sequence[str]
) -> None:
    """Raise ValueError if settings are unknown or missing."""
    unknown = sorted(set(entry) - set(allowed))
    if unknown:
        raise ValueError(
            f'{where} may hold {list(allowed)}, got {unknown}{did_you_mean(unknown, allowed)}'
        )
    missing = [key for key in required if key not in entry]
    if missing:
        raise ValueError(f'{where} must hold {list(required)}, got no {missing}')


def check_text(where: str, key: str, value: Any) -> None:
    """Raise ValueError if a setting is no text, or an empty one."""
    if not isinstance(value, str) or not value:
        raise ValueError(f'{where}: `{key}` must be a text, got {value!r}')


def check_texts(where: str, key: str, values: Any) -> None:
    """Raise ValueError if a setting is no list of different texts."""
    if not isinstance(values, (list, tuple)) or not all(isinstance(v, str) for v in values):
        raise ValueError(f'{where}: `{key}` must be a list of texts, got {values!r}')
    if len(set(values)) < len(values):
        raise ValueError(f'{where}: `{key}` must not hold a text twice, got {values!r}')


def read_options(where: str, key: str, options: Any) -> dict[str, str]:
    """Return options as ``--cfg-options`` takes them.

    Raises:
        ValueError: If they are no dict, or the command line cannot say one of them.
    """
    if not isinstance(options, Mapping):
        raise ValueError(f'{where}: `{key}` must be a dict, got {options!r}')
    try:
        return {name: option_text(value) for name, value in options.items()}
    except ValueError as error:
        raise ValueError(f'{where}: an option {error}') from error


def is_config(name: str) -> bool:
    """Tell whether there is a config: a file, or one of a package."""
    try:
        find_config(name)
    except FileNotFoundError:
        return False
    return True


def check_seeds(seeds: Any) -> None:
    """Raise ValueError if seeds are no list of different numbers >= 0."""
    usable = isinstance(seeds, (list, tuple)) and all(type(s) is int and s >= 0 for s in seeds)
    if not usable or not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f'`seeds` must be a list of different ints >= 0, got {seeds!r}')


def _read_method(entry: Any, index: int) -> Method:
    if not isinstance(entry, Mapping):
        raise ValueError(f'`methods[{index}]` must be a dict, got {entry!r}')
    where = f'method {entry["name"]!r}' if 'name' in entry else f'`methods[{index}]`'
    check_keys(where, entry, required=_OF_METHOD, allowed=(*_OF_METHOD, *_OPTIONAL))
    for key in ('name', 'config', 'checkpoint'):
        check_text(where, key, entry[key])
    lists = {key: entry.get(key, ()) for key in ('scores', 'trained_in')}
    for key, values in lists.items():
        check_texts(where, key, values)
    if not lists['scores']:
        raise ValueError(f'{where}: `scores` must hold at least one score')
    return Method(
        entry['name'],
        entry['config'],
        entry['checkpoint'],
        tuple(lists['scores']),
        tuple(lists['trained_in']),
        read_options(where, 'options', entry.get('options', {})),
    )


def _check_names(methods: Sequence[Method], reference: Any) -> None:
    seen: dict[str, str] = {}
    for method in methods:
        folder = method.folder.lower()
        if not folder or folder in seen:
            others = f', and {seen[folder]!r} is another method' if folder in seen else ''
            raise ValueError(
                f'method {method.name!r}: `name` must hold letters or digits, others than those of '
                f'the methods before it{others}'
            )
        seen[folder] = method.name
    if reference not in seen.values():
        raise ValueError(f'`reference` must be one of {list(seen.values())}, got {reference!r}')


def _check_seeds_matter(comparison: Comparison) -> None:
    for method in comparison.methods:
        texts = [method.config, method.checkpoint, *method.options.values()]
        if len(comparison.seeds) > 1 and not any(SEED in text for text in texts):
            raise ValueError(
                f'method {method.name!r}: with several seeds `checkpoint` must hold {SEED!r} (or '
                f'`config`, or an option), got {method.checkpoint!r}: all seeds would be the same'
            )


def _check_files(comparison: Comparison) -> None:
    missing: dict[str, str] = {}  # path to the method that names it first
    for method in comparison.methods:
        for seed in comparison.seeds:
            one = method.of_seed(seed)
            for path, there in (
                (one.config, is_config(one.config)),
                (one.checkpoint, Path(one.checkpoint).is_file()),
            ):
                if not there:
                    missing.setdefault(path, method.name)
    if missing:
        lines = [f'  {located(path)}, of method {name!r}' for path, name in missing.items()]
        raise FileNotFoundError('\n'.join([f'{len(missing)} files are missing:', *lines]))
