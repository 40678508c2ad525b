"""From a variant to the options of the tools, and to what makes it another one."""

import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from comparison.methods import fill_seed
from comparison.reading import option_text
from comparison.runs import available_scores, read_config
from mmseg_abnn.apis.config_parts import type_name
from mmseg_abnn.apis.member_config import decisive_settings
from mmseg_abnn.apis.stamps import settings_hash

from .variants import DETERMINISTIC, FINE_TUNED, Ablation, Variant

Reader = Callable[[str], Config]
# what the numbers of a test depend on, beside its checkpoint
_OF_TEST = ('model', 'custom_hooks', 'test_cfg', 'test_dataloader', 'test_evaluator')
_LENGTH = 16  # of the names that are made from hashes


@dataclass(frozen=True)
class Fingerprint:
    """What makes a variant another one: the settings that its configs and options give.

    Attributes:
        training: Of its training; empty if it has none. Equal ones share their trainings.
        test: Of the whole variant. Equal ones share their numbers.
        scores: The scores that it has.
    """

    training: str
    test: str
    scores: tuple[str, ...]


def cached_reader() -> Reader:
    """Return a function that reads a config file as ``Config.fromfile``, each file once."""
    read = functools.cache(Config.fromfile)
    return lambda path: copy.deepcopy(read(path))


def options_of_training(ablation: Ablation, variant: Variant, seed: int) -> dict[str, str]:
    """Return the options of a variant's training; its members have seeds of their own."""
    options = {
        **ablation.train,
        **variant.train,
        'load_from': option_text(fill_seed(ablation.base_checkpoint, seed)),
        'randomness.seed': str(1000 * seed),
    }
    return {key: fill_seed(text, seed) for key, text in options.items()}


def options_of_test(
    ablation: Ablation, variant: Variant, seed: int, read: Reader
) -> dict[str, str]:
    """Return the options of a variant's test, on the data of the list."""
    options = {**ablation.test, **_data_options(read(file_of(ablation, variant)), ablation)}
    if variant.kind != DETERMINISTIC:
        options |= {'model.test_cfg.seed': '{seed}', **variant.train, **variant.test}
    return {key: fill_seed(text, seed) for key, text in options.items()}


def options_of_layer_scales(ablation: Ablation, variant: Variant, seed: int) -> dict[str, str]:
    """Return the options that noise scales of equal effect are measured with.

    They are the same for all variants that share a training.
    """
    own = variant.train if variant.kind == FINE_TUNED else variant.test
    options = {**ablation.test, **own}
    return {key: fill_seed(text, seed) for key, text in options.items()}


def file_of(ablation: Ablation, variant: Variant) -> str:
    """Return the config file of a variant, as the list names it."""
    return ablation.base if variant.kind == DETERMINISTIC else ablation.config


def arguments_of(work_dir: object, options: Mapping[str, str]) -> list[str]:
    """Return work dir and options as arguments of a command line."""
    texts = [f'{key}={text}' for key, text in options.items()]
    return ['--work-dir', str(work_dir), *(['--cfg-options', *texts] if texts else [])]


def find_fingerprint(ablation: Ablation, variant: Variant, read: Reader) -> Fingerprint:
    """Find out what makes a variant another one, and check what its configs tell.

    Raises:
        ValueError: If an option is unusable, the model has no such score, or there are fewer
            members than are to be tested.
    """
    try:
        return _find(ablation, variant, read)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f'variant {variant.key!r}: {error}') from error


def _find(ablation: Ablation, variant: Variant, read: Reader) -> Fingerprint:
    file = file_of(ablation, variant)

    def resolve(options: Mapping[str, str]) -> Config:
        paths = [file, ablation.base_checkpoint]
        return read_config([*paths, *arguments_of('.', options)], read)

    training = ''
    if variant.kind == FINE_TUNED:
        cfg = resolve(options_of_training(ablation, variant, seed=0))
        count = cfg.get('num_members')
        if count is None:
            raise ValueError(f'{file} must be the config of an ABNN, it has no `num_members`')
        if variant.members is not None and variant.members > count:
            raise ValueError(f'`members` must be at most {count}, got {variant.members}')
        training = _hash(
            [ablation.base_checkpoint, variant.equal_effect, count, decisive_settings(cfg)]
        )
    cfg = resolve(options_of_test(ablation, variant, 0, read))
    scores = _scores(ablation, variant, cfg)
    settings = {key: cfg.get(key) for key in _OF_TEST}
    facts = [ablation.base_checkpoint, variant.kind, variant.members, variant.equal_effect]
    test = _hash([training, *facts, scores, Config(settings).to_dict()])
    return Fingerprint(training, test, scores)


def _hash(settings: Any) -> str:
    return settings_hash(settings)[:_LENGTH]


def _scores(ablation: Ablation, variant: Variant, cfg: Config) -> tuple[str, ...]:
    allowed = available_scores(cfg)
    if allowed is None:
        return ablation.scores
    known = tuple(score for score in ablation.scores if score in allowed)
    if not known or (known != ablation.scores and variant.kind != DETERMINISTIC):
        raise ValueError(
            f'the `scores` of {type_name(cfg.model)} are {list(allowed)}, got '
            f'{list(ablation.scores)}'
        )
    return known


def _data_options(cfg: Config, ablation: Ablation) -> dict[str, str]:
    places = list(data_roots(cfg.test_dataloader, 'test_dataloader'))
    if not places:
        raise ValueError('the test data of the config has no `data_root` to replace')
    return dict.fromkeys(places, option_text(ablation.data_root))


def data_roots(part: Any, name: str) -> Iterator[str]:
    """Yield the names of all settings ``data_root`` in a part of a config.

    Args:
        part: The part.
        name: Its own name.
    """
    entries = part.items() if isinstance(part, Mapping) else enumerate(part)
    for key, value in entries:
        if key == 'data_root':
            yield f'{name}.{key}'
        elif isinstance(value, (Mapping, list)):
            yield from data_roots(value, f'{name}.{key}')
