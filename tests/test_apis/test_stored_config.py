"""The config in a checkpoint, written without absolute paths and read without running it."""

import signal
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmseg.models import EncoderDecoder

from mmseg_abnn.apis import expand_abnn_section
from mmseg_abnn.apis.stored_config import read_config_text, resolve_names, write_config_text
from mmseg_abnn.compat import configs_folder

FOLDERS = ('abnn', 'deeplabv3plus')
CONFIGS = [path for name in FOLDERS for path in sorted((configs_folder() / name).glob('*.py'))]
OF_THE_RUN = {
    'load_from', 'work_dir', 'resume', 'default_hooks', 'env_cfg', 'log_level', 'log_processor',
    'vis_backends', 'visualizer',
}  # fmt: skip
OF_A_LOOP = {'num_workers', 'persistent_workers', 'pin_memory', 'val_interval'}


def without_the_run(value):
    if isinstance(value, dict):
        return {k: without_the_run(v) for k, v in value.items() if k not in OF_A_LOOP}
    return type(value)(map(without_the_run, value)) if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_text_brings_a_config_back(path):
    cfg = Config.fromfile(path)
    expand_abnn_section(cfg)
    kept = {key: value for key, value in cfg.to_dict().items() if key not in OF_THE_RUN}
    expected = without_the_run(kept)
    text = write_config_text(cfg)
    assert read_config_text(text, 'x.pth').to_dict() == expected
    # MMEngine reads the same text by running it
    assert Config.fromstring(text, '.py').to_dict() == expected
    # and its own text is read, too
    own = read_config_text(cfg.pretty_text, 'x.pth').to_dict()
    assert {key: value for key, value in own.items() if key not in OF_THE_RUN} == kept


def test_no_absolute_path_is_written():
    cfg = Config(
        dict(
            data_root='/home/me/data/muad/',
            nested=[dict(path='~/secret/a.txt'), ('data/b.txt', 'https://a.org/c.pth', 'a/b')],
            load_from='/home/me/base.pth',
        )
    )
    assert read_config_text(write_config_text(cfg), 'x.pth').to_dict() == dict(
        data_root='muad',
        nested=[dict(path='a.txt'), ('data/b.txt', 'https://a.org/c.pth', 'a/b')],
    )


def test_classes_become_their_registered_names():
    cfg = Config(
        dict(model=dict(type=EncoderDecoder, norm_cfg=dict(type=torch.nn.BatchNorm2d))),
        format_python_code=False,
    )
    read = read_config_text(write_config_text(cfg), 'x.pth')
    assert read.model.type == 'EncoderDecoder'
    assert MODELS.get(read.model.norm_cfg.type) is torch.nn.BatchNorm2d
    # as MMEngine writes the class
    read = read_config_text(
        'model = dict(type=mmseg.models.segmentors.encoder_decoder.EncoderDecoder)', 'x.pth'
    )
    resolve_names(read.model, read, 'x.pth')
    assert read.model.type == 'EncoderDecoder'


def test_numbers_of_all_kinds():
    values = dict(
        a=[float('inf'), -float('inf'), -1.5, 2, True],
        b=np.float64(0.1),
        c=np.float32(0.5),
        d=np.int64(3),
        e=np.array([1.5, 2]),
        f=signal.SIGINT,
    )
    read = read_config_text(write_config_text(Config(dict(n=values, **{'class': 1}))), 'x.pth')
    assert read.to_dict() == dict(
        n=dict(a=[float('inf'), -float('inf'), -1.5, 2, True], b=0.1, c=0.5, d=3, e=[1.5, 2], f=2)
    )


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('import os', 'line 1 assigns nothing to a name'),
        ('a = 1\nb.c = 2', 'line 2 assigns nothing to a name'),
        ("a = open('created', 'w')", 'malformed node'),
        ('a = [i for i in (1, 2)]', 'malformed node'),
        ('a = dict(**b)', 'line 1 unpacks a dict'),
        ('a = {**b}', 'line 1 unpacks a dict'),
        ('a = (', 'was never closed'),
        ('a = ' + '[' * 10000, 'too many nested parentheses'),
        ("default_scope = 'os'", "`default_scope`='os'"),
        ("a = dict(_scope_='evil', type='A')", "`_scope_`='evil'"),
        ("custom_imports = dict(imports=['mmseg.nothing'])", "the module 'mmseg.nothing'"),
    ],
)
def test_nothing_is_run(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'evil.py').write_text("open('created', 'w')")
    with pytest.raises(ValueError, match='the config in x') as caught:
        read_config_text(text, 'x.pth')
    assert message in str(caught.value)
    assert not (tmp_path / 'created').exists()


def test_a_config_must_be_text():
    with pytest.raises(ValueError, match=r'the config in x\.pth is no text, got dict'):
        read_config_text({}, 'x.pth')


@pytest.mark.parametrize(
    'name', ['antigravity', 'mmengine.load', 'mmseg.load', 'os.system', 'mmseg.apis.init_model']
)
def test_what_is_built_must_be_registered(name):
    """MMEngine would import a module of this name, or call the function."""
    text = (
        f"model = dict(type='EncoderDecoder', a=[dict(type='{name}')])\n"
        "custom_imports = dict(imports=['my_models'])"
    )
    cfg = read_config_text(text, 'x.pth')
    message = rf"the config in x.pth needs '{name}', .* registers it, such as my_models, or give"
    with pytest.raises(ValueError, match=message):
        resolve_names(cfg.model, cfg, 'x.pth')
    assert 'my_models' not in sys.modules
    resolve_names(dict(type='EncoderDecoder', a=dict(type='mmseg.FCNHead')), cfg, 'x.pth')
