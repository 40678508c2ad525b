"""The list of variants: what it may say, and what is wrong with it."""

import re

import pytest

from ablation import Variant, check_files, read_ablation, variants_of
from ablation.settings import cached_reader, find_fingerprint
from helpers.tool_runner import BASE_CONFIG, ROOT


def variant(**changes):
    return {k: v for k, v in {'name': 'a', **changes}.items() if v is not ...}


def group(*variants, **changes):
    entry = dict(name='g', title='G', question='Q?', variants=list(variants) or [variant()])
    return {k: v for k, v in {**entry, **changes}.items() if v is not ...}


def read(tmp_path, *groups, seeds=None, **changes):
    content = dict(
        title='T',
        config='abnn.py',
        base='base.py',
        base_checkpoint='{seed}/net.pth',
        data_root='data',
        split='some images',
        seeds=[0, 1],
        scores=['msp', 'entropy'],
        groups=list(groups) or [group()],
    )
    content = {k: v for k, v in {**content, **changes}.items() if v is not ...}
    path = tmp_path / 'list.py'
    path.write_text('\n'.join(f'{key} = {value!r}' for key, value in content.items()))
    return read_ablation(str(path), seeds)


def test_all_that_a_list_may_hold(tmp_path):
    full = variant(
        name='b c',
        train={'abnn.alpha': 0.3, 'abnn.include': ['backbone.*']},
        test={'abnn.num_samples': 5},
        members=2,
        value=0.3,
        series='s',
    )
    noisy = variant(name='n', test={'abnn.seed': '{seed}'}, fine_tuned=False, equal_effect=0.2)
    found = read(
        tmp_path,
        group(),
        group(
            full, noisy, name='h', answer='So.', remark='Text.', scores=['entropy'], axis='alpha'
        ),
        train={'val_cfg': None},
        test={'a': [1, 2]},
        _helper=1,
    )
    assert (found.title, found.config, found.base) == ('T', 'abnn.py', 'base.py')
    assert (found.base_checkpoint, found.data_root) == ('{seed}/net.pth', 'data')
    assert (found.split, found.seeds, found.scores) == ('some images', (0, 1), ('msp', 'entropy'))
    assert (found.train, found.test) == ({'val_cfg': 'None'}, {'a': '[1,2]'})
    first, second = found.groups
    assert (first.answer, first.remark, first.scores, first.axis) == ('', '', ('msp',), '')
    assert first.variants == (Variant('g/a', 'a'),)
    assert (second.name, second.title, second.question) == ('h', 'G', 'Q?')
    assert (second.answer, second.remark) == ('So.', 'Text.')
    assert (second.scores, second.axis) == (('entropy',), 'alpha')
    train = {'abnn.alpha': '0.3', 'abnn.include': '[backbone.*]'}
    assert second.variants == (
        Variant('h/b c', 'b c', 'fine-tuned', train, {'abnn.num_samples': '5'}, 2, None, 0.3, 's'),
        Variant('h/n', 'n', 'noisy', {}, {'abnn.seed': '{seed}'}, None, 0.2),
    )
    keys = [v.key for v in variants_of(found.groups)]
    assert keys == ['deterministic', 'reference', 'g/a', 'h/b c', 'h/n']
    assert found.choose(None) == found.groups
    assert found.choose(['h']) == (second,)
    with pytest.raises(ValueError, match=r"the groups are \['g', 'h'\], got \['i'\]"):
        found.choose(['h', 'i'])


def test_seeds_of_the_command_line_come_first(tmp_path):
    assert read(tmp_path, seeds=[5, 6]).seeds == (5, 6)
    with pytest.raises(ValueError, match=r'`seeds` must be .*, got \[1, 1\]'):
        read(tmp_path, seeds=[1, 1])


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(method=1), "the list may hold ['title', 'config', 'base', 'base_checkpoint', "),
        (dict(split=...), "got no ['split']"),
        (dict(data_root=''), "the list: `data_root` must be a text, got ''"),
        (dict(seeds=[]), '`seeds` must be a list of different ints >= 0, got []'),
        (
            dict(base_checkpoint='net.pth'),
            "with several seeds `base_checkpoint` must hold '{seed}'",
        ),
        (dict(scores=[]), 'the list: `scores` must hold at least one score'),
        (dict(scores='msp'), "the list: `scores` must be a list of texts, got 'msp'"),
        (dict(groups=[]), '`groups` must be a list of dicts, got []'),
        (dict(test={'abnn.alpha': 1}), '`test` must hold no option of the section `abnn`, got ['),
        (dict(train={'a': dict(b=1)}), "the list: an option {'b': 1} cannot be given on a command"),
        (dict(groups=[group(), group()]), "groups must have different names, got ['g'] more than"),
    ],
)
def test_wrong_lists(tmp_path, changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read(tmp_path, **changes)


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        ('g', "`groups[0]` must be a dict, got 'g'"),
        (group(name=...), "`groups[0]` must hold ['name', 'title', 'question', 'variants']"),
        (group(reply='x'), "group 'g' may hold ['name', 'title', 'question', 'variants', 'ans"),
        (group(name='a b'), "group 'a b': `name` must hold letters, digits, - and _ only"),
        (group(name='reference'), "and not be 'deterministic' or 'reference'"),
        (group(question=''), "group 'g': `question` must be a text, got ''"),
        (group(answer=None), "group 'g': `answer` must be a text, got None"),
        (group(remark=3), "group 'g': `remark` must be a text, got 3"),
        (group(scores=['energy']), "`scores` must be some of ['msp', 'entropy'], got ['energy']"),
        (group(variants=[]), "group 'g': `variants` must be a list of dicts, got []"),
        (group(variant(), variant()), "group 'g': variants must have different names, got ['a']"),
        (group(variant(name='reference')), "different names, got ['reference'] more than once"),
        (group(variant(value=1)), "group 'g': `axis` must say what the `value` of its variants is"),
    ],
)
def test_wrong_groups(tmp_path, entry, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read(tmp_path, groups=[entry])


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (1, "group 'g': `variants[0]` must be a dict, got 1"),
        (variant(name=...), "group 'g': `variants[0]` must hold ['name']"),
        (variant(alpha=1), "variant 'a' of group 'g' may hold ['name', 'train', 'test', "),
        (variant(fine_tuned=1), "variant 'a' of group 'g': `fine_tuned` must be True or False"),
        (variant(members=0), '`members` must be an int >= 1, got 0'),
        (variant(value='x'), "`value` must be a number, got 'x'"),
        (variant(equal_effect=0), '`equal_effect` must be > 0, got 0'),
        (variant(series=1), '`series` must be a text, got 1'),
        (variant(train=['a']), "`train` must be a dict, got ['a']"),
        (variant(fine_tuned=False, train={'a': 1}), '`train` and `members` must not be given'),
        (variant(fine_tuned=False, members=1), '`train` and `members` must not be given'),
        (
            variant(equal_effect=0.1, test={'abnn.alpha': 1}),
            '`equal_effect` and the option `abnn.alpha` contradict each other',
        ),
    ],
)
def test_wrong_variants(tmp_path, entry, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read(tmp_path, group(entry))


def test_all_missing_files_are_listed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ablation = read(tmp_path)
    (tmp_path / 'abnn.py').touch()
    (tmp_path / '0').mkdir()
    (tmp_path / '0/net.pth').touch()
    with pytest.raises(FileNotFoundError) as error:
        check_files(ablation)
    assert str(error.value).splitlines() == [
        f'there is no config base.py (relative to {tmp_path})',
        f'there is no folder data (relative to {tmp_path}), `data_root`: render it, or download it',
        f'there is no 1/net.pth (relative to {tmp_path}); it is made by',
        '  python tools/train.py base.py --work-dir 1 --cfg-options randomness.seed=1',
    ]
    (tmp_path / 'base.py').touch()
    (tmp_path / 'data').mkdir()
    (tmp_path / '1').mkdir()
    (tmp_path / '1/net.pth').touch()
    check_files(ablation)


def test_the_list_of_mini_streets(monkeypatch):
    """Its configs understand all options; variants that are meant to differ do."""
    monkeypatch.chdir(ROOT)
    ablation = read_ablation('configs/ablation/mini_streets.py')
    assert ablation.config == 'configs/ablation/mini_streets_reference.py'
    assert ROOT / ablation.base == BASE_CONFIG
    read_file = cached_reader()
    for group in ablation.groups:
        assert group.answer.endswith('.'), group.name
        assert '\n' not in group.answer + group.question + group.title, group.name  # table cells
        found = [find_fingerprint(ablation, variant, read_file).test for variant in group.variants]
        assert len(set(found)) == len(found), group.name
        values = [(variant.value, variant.series) for variant in group.variants]
        assert len(set(values)) == len(values) or not group.axis
