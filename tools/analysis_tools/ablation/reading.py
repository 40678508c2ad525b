"""Reading the list of variants, and saying what is wrong with it before anything runs.

A list is a config file of MMEngine:

    title = 'MiniStreets'
    config = 'configs/abnn/...py'  # of the ABNN
    base = 'configs/deeplabv3plus/...py'  # of the network that it is made from
    base_checkpoint = 'work_dirs/{seed}/iter_700.pth'  # its checkpoint
    data_root = 'data/...'  # what is tested on; training data is what the configs say
    split = 'images of another seed than the reported ones'  # for the page
    seeds = [0, 1, 2]
    scores = ['msp', 'entropy']  # as of UncertaintyMetric; the first one heads the tables
    train = {'default_hooks.logger.interval': 1}  # optional: --cfg-options of each training
    test = {}  # optional: of each test
    groups = [
        dict(
            name='alpha',  # for the command line
            title='Noise scale',
            question='How much noise is good?',
            answer='',  # optional: the answer in a sentence, written by hand
            remark='',  # optional: what was found, written by hand
            scores=['msp'],  # optional: what its table shows; the first of all by default
            axis='alpha',  # optional: what `value` is; the values are drawn
            variants=[
                dict(
                    name='alpha = 0.3',
                    train={'abnn.alpha': 0.3},  # optional: options of its training and its test
                    test={'abnn.num_samples': 5},  # optional: options of its test
                    fine_tuned=True,  # optional; False: the base network with the noise, no members
                    members=2,  # optional: test the first members only
                    equal_effect=0.15,  # optional: a noise scale for each layer, see
                    # ablation.equal_effect
                    value=0.3,  # optional: where it is drawn
                    series='fine-tuned',  # optional: the curve that it belongs to
                ),
            ],
        ),
    ]

The network without noise (through `base`) and the ABNN as its config has it stand in each table.
``{seed}`` is filled in; paths are relative to the working directory. A dict as an option's value is
written with dots: `{'abnn.eta._delete_': True, 'abnn.eta.type': 'none'}`. Other names of the file
must begin with an underscore.
"""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from comparison.methods import SEED, fill_seed
from comparison.reading import (
    check_keys,
    check_seeds,
    check_text,
    check_texts,
    is_config,
    read_list,
    read_options,
)
from mmseg_abnn.messages import located

from .variants import DETERMINISTIC, FINE_TUNED, NOISY, REFERENCE, Ablation, Group, Variant

_TEXTS = ('title', 'config', 'base', 'base_checkpoint', 'data_root', 'split')
_KEYS = (*_TEXTS, 'seeds', 'scores', 'groups')
_OF_GROUP = ('name', 'title', 'question', 'variants')
_SHARED = (DETERMINISTIC, REFERENCE)  # names of what stands in each table
_OF_VARIANT = ('train', 'test', 'fine_tuned', 'members', 'equal_effect', 'value', 'series')


def read_ablation(path: str, seeds: Sequence[int] | None = None) -> Ablation:
    """Read a list and check all that can be told from it alone.

    Args:
        path: The config file.
        seeds: Seeds in place of the file's.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a setting is missing, unknown or unusable.
    """
    content = read_list(path, required=_KEYS, allowed=(*_KEYS, 'train', 'test'))
    for key in _TEXTS:
        check_text('the list', key, content[key])
    if seeds is not None:
        content['seeds'] = list(seeds)
    check_seeds(content['seeds'])
    if len(content['seeds']) > 1 and SEED not in content['base_checkpoint']:
        raise ValueError(
            f'with several seeds `base_checkpoint` must hold {SEED!r}, got '
            f'{content["base_checkpoint"]!r}'
        )
    scores = _read_scores('the list', content['scores'])
    groups = content['groups']
    if not isinstance(groups, (list, tuple)) or not groups:
        raise ValueError(f'`groups` must be a list of dicts, got {groups!r}')
    return Ablation(
        **{key: content[key] for key in _TEXTS},
        seeds=tuple(content['seeds']),
        scores=scores,
        train=_read_common('train', content.get('train', {})),
        test=_read_common('test', content.get('test', {})),
        groups=_read_groups(groups, scores),
    )


def check_files(ablation: Ablation) -> None:
    """Raise FileNotFoundError if configs, data or base checkpoints are missing, and say it all."""
    problems = [
        f'there is no config {located(path)}'
        for path in (ablation.config, ablation.base)
        if not is_config(path)
    ]
    if not Path(ablation.data_root).is_dir():
        problems.append(
            f'there is no folder {located(ablation.data_root)}, `data_root`: render it, or '
            'download it'
        )
    for seed in ablation.seeds:
        checkpoint = fill_seed(ablation.base_checkpoint, seed)
        if not Path(checkpoint).is_file():
            folder = os.path.dirname(checkpoint) or '.'
            command = ['python', 'tools/train.py', ablation.base, '--work-dir', folder]
            command += ['--cfg-options', f'randomness.seed={seed}']
            problems.append(
                f'there is no {located(checkpoint)}; it is made by\n  {shlex.join(command)}'
            )
    if problems:
        raise FileNotFoundError('\n'.join(problems))


def _read_common(key: str, options: Any) -> dict[str, str]:
    found = read_options('the list', key, options)
    of_section = [name for name in found if name.partition('.')[0] == 'abnn']
    if of_section:
        raise ValueError(
            f'the list: `{key}` must hold no option of the section `abnn`, got {of_section}: '
            'the deterministic network has none; options of one variant may'
        )
    return found


def _read_scores(where: str, scores: Any) -> tuple[str, ...]:
    check_texts(where, 'scores', scores)
    if not scores:
        raise ValueError(f'{where}: `scores` must hold at least one score')
    return tuple(scores)


def _check_different(what: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f'{what} must have different names, got {twice} more than once')


def _read_groups(entries: Sequence[Any], scores: Sequence[str]) -> tuple[Group, ...]:
    groups = tuple(_read_group(entry, i, scores) for i, entry in enumerate(entries))
    _check_different('groups', [group.name for group in groups])
    return groups


def _read_group(entry: Any, index: int, scores: Sequence[str]) -> Group:
    if not isinstance(entry, Mapping):
        raise ValueError(f'`groups[{index}]` must be a dict, got {entry!r}')
    where = f'group {entry["name"]!r}' if 'name' in entry else f'`groups[{index}]`'
    check_keys(where, entry, _OF_GROUP, (*_OF_GROUP, 'answer', 'remark', 'scores', 'axis'))
    for key in ('name', 'title', 'question'):
        check_text(where, key, entry[key])
    name = entry['name']
    if not re.fullmatch(r'[\w-]+', name) or name in _SHARED:
        raise ValueError(
            f'{where}: `name` must hold letters, digits, - and _ only, and not be '
            f'{DETERMINISTIC!r} or {REFERENCE!r}'
        )
    for key in ('answer', 'remark', 'axis'):
        if not isinstance(entry.get(key, ''), str):
            raise ValueError(f'{where}: `{key}` must be a text, got {entry[key]!r}')
    shown = _read_scores(where, entry.get('scores', scores[:1]))
    unknown = [score for score in shown if score not in scores]
    if unknown:
        raise ValueError(f'{where}: `scores` must be some of {list(scores)}, got {unknown}')
    variants = entry['variants']
    if not isinstance(variants, (list, tuple)) or not variants:
        raise ValueError(f'{where}: `variants` must be a list of dicts, got {variants!r}')
    found = tuple(_read_variant(variant, name, i) for i, variant in enumerate(variants))
    _check_different(f'{where}: variants', [*_SHARED, *(variant.name for variant in found)])
    axis = entry.get('axis', '')
    if not axis and any(variant.value is not None for variant in found):
        raise ValueError(f'{where}: `axis` must say what the `value` of its variants is')
    texts = (entry['title'], entry['question'], entry.get('answer', ''), entry.get('remark', ''))
    return Group(name, *texts, shown, axis, found)


def _read_variant(entry: Any, group: str, index: int) -> Variant:
    where = f'group {group!r}: `variants[{index}]`'
    if not isinstance(entry, Mapping):
        raise ValueError(f'{where} must be a dict, got {entry!r}')
    if 'name' in entry:
        where = f'variant {entry["name"]!r} of group {group!r}'
    check_keys(where, entry, ('name',), ('name', *_OF_VARIANT))
    check_text(where, 'name', entry['name'])
    fine_tuned = entry.get('fine_tuned', True)
    if not isinstance(fine_tuned, bool):
        raise ValueError(f'{where}: `fine_tuned` must be True or False, got {fine_tuned!r}')
    members, equal_effect = entry.get('members'), entry.get('equal_effect')
    if members is not None and (type(members) is not int or members < 1):
        raise ValueError(f'{where}: `members` must be an int >= 1, got {members!r}')
    for key in ('equal_effect', 'value'):
        _check_number(where, key, entry.get(key))
    if equal_effect is not None and equal_effect <= 0:
        raise ValueError(f'{where}: `equal_effect` must be > 0, got {equal_effect}')
    if not isinstance(entry.get('series', ''), str):
        raise ValueError(f'{where}: `series` must be a text, got {entry["series"]!r}')
    variant = Variant(
        key=f'{group}/{entry["name"]}',
        name=entry['name'],
        kind=FINE_TUNED if fine_tuned else NOISY,
        train=read_options(where, 'train', entry.get('train', {})),
        test=read_options(where, 'test', entry.get('test', {})),
        members=members,
        equal_effect=equal_effect,
        value=entry.get('value'),
        series=entry.get('series', ''),
    )
    _check_variant(where, variant)
    return variant


def _check_number(where: str, key: str, value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise ValueError(f'{where}: `{key}` must be a number, got {value!r}')


def _check_variant(where: str, variant: Variant) -> None:
    if variant.kind == NOISY and (variant.train or variant.members is not None):
        raise ValueError(
            f'{where}: with fine_tuned=False there is no training: `train` and `members` must not '
            'be given, options of the noise belong into `test`'
        )
    if variant.equal_effect is not None and 'abnn.alpha' in {**variant.train, **variant.test}:
        raise ValueError(
            f'{where}: `equal_effect` and the option `abnn.alpha` contradict each other'
        )
