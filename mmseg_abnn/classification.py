"""What a config of MMPretrain needs: importing this registers our classes with it.

In a config: ``custom_imports = dict(imports=['mmseg_abnn.classification'])``. MMPretrain and
torchvision must be installed (the extra ``classification``); nothing else of this package needs
them.
"""

from .compat import check_classification

check_classification()

from .datasets import classification as datasets  # noqa: E402
from .engine.named_visualization_hook import NamedVisualizationHook  # noqa: E402
from .evaluation.metrics import ClassificationUncertaintyMetric  # noqa: E402
from .models import backbones, classifiers  # noqa: E402

__all__ = [
    'ClassificationUncertaintyMetric',
    'NamedVisualizationHook',
    'backbones',
    'classifiers',
    'datasets',
]
