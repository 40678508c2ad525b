"""Converting a trained network to an ABNN and back: what is converted, and what is trained."""

from .convert import ConversionReport, convert_layer, convert_to_abnn, revert_abnn
from .guards import install_guards
from .selection import DEFAULT_ALPHA, DEFAULT_NOISE_SHAPE, Alpha, check_conversion_arguments

__all__ = [
    'DEFAULT_ALPHA',
    'DEFAULT_NOISE_SHAPE',
    'Alpha',
    'ConversionReport',
    'check_conversion_arguments',
    'convert_layer',
    'convert_to_abnn',
    'install_guards',
    'revert_abnn',
]
