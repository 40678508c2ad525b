"""What the file of an ensemble tells of where it comes from."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from ..models.prediction_settings import PredictionSettings
from .abnn_section import monte_carlo_type
from .class_names import class_facts
from .config_parts import conversion_settings, plain, type_name
from .stored_config import read_config_text, write_config_text


def origin_of(cfg: Config) -> dict[str, Any]:
    """Return the config of an ABNN as text, and its settings of conversion and prediction.

    A warning says so if the text does not bring the config back, as where it holds functions.
    """
    text = write_config_text(cfg)
    try:
        read_config_text(text, 'it')
    except ValueError as error:
        print_log(
            f'The checkpoint of the ABNN will not do without its config file: {error}',
            logger='current',
            level=30,
        )
    hooks = [hook for hook in cfg.custom_hooks if type_name(hook) == 'ABNNConversionHook']
    return {
        'cfg': text,
        'conversion': plain(conversion_settings(hooks[0])),
        'prediction': asdict(PredictionSettings.among(cfg.model.get('test_cfg') or {})),
    }


def origin_of_networks(meta: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return what a Deep Ensemble's file tells: the config of a network, sampling, and its classes.

    Args:
        meta: Of the checkpoint of one of its networks.
        path: That file, for messages.
    """
    origin: dict[str, Any] = {}
    if (meta.get('dataset_meta') or {}).get('classes'):
        origin['dataset_meta'] = class_facts(meta['dataset_meta'])
    if not meta.get('cfg'):
        return origin
    try:
        cfg = read_config_text(meta['cfg'], path)
        cfg.model.type = monte_carlo_type(cfg.model)
    except ValueError as error:
        print_log(f'The ensemble will not do without a config file: {error}', 'current', 30)
        return origin
    cfg.model.test_cfg = ConfigDict(cfg.model.get('test_cfg') or {}, draws='none')
    prediction = PredictionSettings.among(cfg.model.test_cfg)
    return {**origin, 'cfg': write_config_text(cfg), 'prediction': asdict(prediction)}
