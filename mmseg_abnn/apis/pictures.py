"""Switching the pictures of a test on."""

from typing import Any

from mmengine.config import Config, ConfigDict

from .command_line import is_classifier
from .config_parts import type_name

_OURS = 'UncertaintyVisualizationHook'
_OF_CLASSIFIERS = 'NamedVisualizationHook'


def show_pictures(
    cfg: Config, folder: str | None = None, window: bool = False, wait_time: float = 2
) -> None:
    """Let a test draw its predictions, in place.

    A config without a visualization hook, or with that of MMSegmentation or MMPretrain, gets ours,
    which draws the uncertainty too; another hook stays.

    Args:
        cfg: A complete config.
        folder: The folder to save the pictures to.
        window: Show them in a window.
        wait_time: How long it shows one, in seconds.
    """
    if not cfg.get('default_hooks'):
        cfg.default_hooks = ConfigDict()
    hooks = cfg.default_hooks
    classifier = is_classifier(cfg)
    hooks.visualization = hook = _hook(hooks.get('visualization'), classifier)
    hook['enable' if classifier else 'draw'] = True
    if classifier:
        hook.setdefault('interval', 1)
    if window:
        hook.show = True
        hook.wait_time = wait_time
    if (folder and type_name(hook) in (_OURS, _OF_CLASSIFIERS)) or (folder and classifier):
        hook.out_dir = folder
    elif folder:
        if not cfg.get('visualizer'):
            backends = [dict(type='LocalVisBackend')]
            cfg.visualizer = ConfigDict(type='SegLocalVisualizer', vis_backends=backends)
        cfg.visualizer.save_dir = folder


def _hook(given: Any, classifier: bool) -> ConfigDict:
    """Return the config of the hook that draws: the given one, or ours with its arguments."""
    hook = ConfigDict(given or {})
    if type_name(hook) in ('', 'SegVisualizationHook', 'VisualizationHook'):
        hook.type = _OF_CLASSIFIERS if classifier else _OURS
    return hook
