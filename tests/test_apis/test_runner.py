"""What a Runner shows, and the switches for precision and augmentation."""

import logging

import pytest
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmseg.models import SegTTAModel

from mmseg_abnn.apis import enable_amp, enable_tta
from mmseg_abnn.apis.runner import _is_for_the_screen

LINE = 60 * '-'


@pytest.mark.parametrize(
    ('level', 'message', 'shown'),
    [
        ('INFO', 'Config:\nmodel = dict()', False),
        ('INFO', f'\n{LINE}\nSystem environment:\n    sys.platform: linux', False),
        ('INFO', 'Hooks will be executed in the following order:\nbefore_run', False),
        ('INFO', 'Iter(train) [1/3]', True),
        ('INFO', 'another Config: of a user', True),
        ('WARNING', 'Config: this setting is deprecated', True),
    ],
)
def test_what_is_for_the_screen(level, message, shown):
    record = logging.LogRecord('name', getattr(logging, level), 'file', 1, message, (), None)
    assert _is_for_the_screen(record) is shown


@pytest.mark.parametrize(
    ('kind', 'scope', 'expected'),
    [
        ('SegTTAModel', 'mmseg', 'MCSegTTAModel'),
        ('mmseg.SegTTAModel', None, 'mmseg.MCSegTTAModel'),
        (SegTTAModel, None, 'mmseg.MCSegTTAModel'),
        ('MyTTAModel', 'mmseg', 'MyTTAModel'),
    ],
)
def test_augmentation_in_each_style_of_config(kind, scope, expected):
    model, pipeline = dict(type='MCEncoderDecoder'), [dict(type='LoadImageFromFile')]
    cfg = dict(default_scope=scope, model=model, tta_model=dict(type=kind), tta_pipeline=pipeline)
    cfg = Config(dict(cfg, test_dataloader=dict(dataset=dict(pipeline=[]))))
    enable_tta(cfg)
    assert cfg.model == dict(type=expected, module=model)
    assert cfg.test_dataloader.dataset.pipeline == pipeline


@pytest.mark.parametrize('kind', ['OptimWrapper', 'mmengine.OptimWrapper', OptimWrapper, None])
def test_mixed_precision_in_each_style_of_config(kind):
    cfg = Config(
        dict(optim_wrapper=dict(accumulative_counts=2, **({'type': kind} if kind else {})))
    )
    enable_amp(cfg)
    assert cfg.optim_wrapper == dict(type='CPUAmpOptimWrapper', accumulative_counts=2)


def test_mixed_precision_that_is_there():
    cfg = Config(dict(optim_wrapper=dict(type=AmpOptimWrapper)))
    enable_amp(cfg)
    assert cfg.optim_wrapper.type is AmpOptimWrapper
    cfg.optim_wrapper.type = 'ApexOptimWrapper'
    with pytest.raises(ValueError, match="to be OptimWrapper, got 'ApexOptimWrapper'"):
        enable_amp(cfg)
