"""Which hook draws a test, and where it writes."""

import pytest
from mmengine.config import Config

from mmseg_abnn.apis import show_pictures

OURS = 'UncertaintyVisualizationHook'


@pytest.mark.parametrize(
    'hooks',
    [
        dict(default_hooks=dict(visualization=dict(type='SegVisualizationHook'))),
        dict(default_hooks=dict(visualization=dict(type=OURS))),
        dict(default_hooks=dict(visualization=None)),
        dict(default_hooks=dict(timer=dict(type='IterTimerHook'))),
        dict(default_hooks=None),
        {},
    ],
)
@pytest.mark.parametrize('visualizer', [dict(visualizer=None), {}])
def test_a_config_of_any_hooks(hooks, visualizer):
    cfg = Config(dict(hooks, **visualizer))
    show_pictures(cfg, 'folder')
    assert cfg.default_hooks.visualization == dict(type=OURS, draw=True, out_dir='folder')
    assert not cfg.get('visualizer')


def test_settings_stay():
    hook = dict(type=OURS, score='msp', interval=7, backend_args=dict(backend='local'))
    cfg = Config(dict(default_hooks=dict(visualization=hook)))
    show_pictures(cfg, window=True, wait_time=0.5)
    assert cfg.default_hooks.visualization == dict(hook, draw=True, show=True, wait_time=0.5)


@pytest.mark.parametrize('visualizer', [None, dict(type='SegLocalVisualizer')])
def test_a_hook_that_is_not_known_stays(visualizer):
    cfg = Config(
        dict(default_hooks=dict(visualization=dict(type='MyHook', a=1)), visualizer=visualizer)
    )
    show_pictures(cfg, 'folder')
    assert cfg.default_hooks.visualization == dict(type='MyHook', a=1, draw=True)
    assert cfg.visualizer.type == 'SegLocalVisualizer'
    assert cfg.visualizer.save_dir == 'folder'


def test_a_classifier():
    hooks = dict(visualization=dict(type='VisualizationHook'))
    cfg = Config(dict(default_scope='mmpretrain', default_hooks=hooks, model=dict(type='A')))
    show_pictures(cfg, 'folder')
    expected = dict(type='NamedVisualizationHook', enable=True, interval=1, out_dir='folder')
    assert cfg.default_hooks.visualization == expected
