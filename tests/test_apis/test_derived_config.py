"""A config that holds what the command line changed in another one."""

import pytest
from mmengine.config import Config

from mmseg_abnn.apis.derived_config import derived_text, value_of

BASE = """
model = dict(type='EncoderDecoder', test_cfg=dict(mode='whole'))
hooks = [dict(type='A', x=1), dict(type='B', x=2)]
loader = dict(dataset=dict(datasets=[dict(root='a'), dict(root='b')]), batch_size=2)
none = None
"""


@pytest.fixture
def base(tmp_path):
    path = tmp_path / 'configs/base.py'
    path.parent.mkdir()
    path.write_text(BASE)
    return path


def derived(base, options, name='out/mine.py'):
    path = base.parents[1] / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(derived_text(str(base), options, str(path)))
    return path


OPTIONS = {
    'hooks.1.x': 5,
    'loader.dataset.datasets.0.root': 'c',
    'loader.dataset.datasets.1.root': 'd e',
    'loader.batch_size': 8,
    'model.test_cfg.crop_size': (3, 4),
    'new.part': [1.5, None],
    'hooks.0.type': 'C',
}


def test_it_is_the_config_with_the_options(base):
    expected = Config.fromfile(base)
    expected.merge_from_dict(OPTIONS)
    path = derived(base, OPTIONS)
    assert path.read_text().startswith("_base_ = '../configs/base.py'\n")
    assert Config.fromfile(path).to_dict() == expected.to_dict()
    assert {key: value_of(expected, key) for key in OPTIONS} == OPTIONS


def test_settings_of_the_prediction_go_into_the_section(base):
    base.write_text(f'{BASE}abnn = dict(alpha=0.2)\n')
    options = {'model.test_cfg.seed': 3, 'model.test_cfg.mode': 'slide', 'abnn.temperature': 2.0}
    found = Config.fromfile(derived(base, options))
    assert found.abnn == dict(alpha=0.2, seed=3, temperature=2.0)
    assert found.model.test_cfg == dict(mode='slide')


def test_what_only_the_section_makes_is_left_out(base):
    path = derived(base, {'custom_hooks.0.alpha': 1, 'hooks.2.x': 1, 'loader.batch_size': 1})
    assert path.read_text().splitlines()[1:] == ["loader = {'batch_size': 1}"]


def test_a_config_of_a_package_is_inherited_by_its_name(tmp_path):
    name = 'mmseg_abnn::_base_/schedules/schedule_80k.py'
    assert derived_text(name, {}, str(tmp_path / 'a.py')) == f'_base_ = {name!r}\n'


@pytest.mark.parametrize(
    ('key', 'expected'),
    [('hooks.0.x', 1), ('hooks.7.x', None), ('none.x', None), ('nowhere', None), ('hooks.x', None)],
)
def test_values(base, key, expected):
    assert value_of(Config.fromfile(base), key) == expected
