"""What a setting is called that a config's section ``abnn`` has been expanded to."""

import re

from mmengine.config import Config

from .abnn_settings import SECTION

# a part of the complete config, and the setting of the section that it comes from
_SETTINGS = (
    (r'custom_hooks\.-?\d+\.(alpha|noise_shape|trainable|include|exclude)\b', r'\1'),
    (r'model\.(?:.*\.)?loss\w*\.(?:\d+\.)?eta\b', 'eta'),
    (r'optim_wrapper\.optimizer\b', 'optimizer'),
    (r'train_cfg\.(max_iters|max_epochs)\b', r'\1'),
    (r'param_scheduler\.0\.end\b', '{budget}'),
)
_MARK = '_expanded_section'


def mark_expanded(cfg: Config) -> None:
    """Note that the section of a config was expanded; the note is no setting, and copies keep it.

    Args:
        cfg: The config, without its section.
    """
    object.__setattr__(cfg, _MARK, True)


def name_in_section(cfg: Config, key: str) -> str:
    """Return a setting's name in the section, if it comes from there.

    Args:
        cfg: The complete config.
        key: A key of it, joined by dots, such as ``custom_hooks.0.alpha``.

    Returns:
        The name, such as ``abnn.alpha``; ``key`` if the config had no section, or not this setting.
    """
    if vars(cfg).get(_MARK):
        budget = 'max_epochs' if 'max_epochs' in (cfg.get('train_cfg') or {}) else 'max_iters'
        for pattern, name in _SETTINGS:
            setting = f'{SECTION}.{name.format(budget=budget)}'
            key, found = re.subn(f'^{pattern}', setting, key)
            if found:
                break
    return key
