"""Metadata of the package; how it is built and checked is in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(
    r"^__version__ = '(.+)'$", (ROOT / 'mmseg_abnn' / '__init__.py').read_text(), re.MULTILINE
)
if VERSION is None:
    raise RuntimeError('mmseg_abnn/__init__.py defines no __version__')

setup(
    name='mmseg_abnn',
    version=VERSION.group(1),
    description='Make a trained MMSegmentation segmentor Bayesian: calibrated, OOD-aware pixels',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    python_requires='>=3.10',
    packages=find_packages(include=['mmseg_abnn', 'mmseg_abnn.*']),
    # The OpenMMLab packages exist in two distributions with the same import names. Neither is
    # required here, so that installing this package never puts one over the other.
    install_requires=[
        'torch>=2.1',
        'numpy',
        'scikit-learn',
        'safetensors',
        'matplotlib',
        'prettytable',
    ],
    extras_require={
        'onedl': ['onedl-mmengine>=0.10.12', 'onedl-mmcv>=2.3.6', 'onedl-mmsegmentation>=1.4.2'],
        'openmmlab': ['mmengine>=0.10.7', 'mmcv>=2.1.0', 'mmsegmentation>=1.2.2', 'ftfy', 'regex'],
        # and torchvision, which is not named here: pip would put the PyTorch of the newest one in
        # the place of yours
        'classification': ['onedl-mmpretrain>=1.3.6'],
        'classification-openmmlab': ['mmpretrain>=1.2.0'],
        'test': [
            'pytest',
            'pytest-xdist',
            'filelock',
            'hypothesis',
            'ruff',
            'mypy',
            'import-linter',
        ],
        'benchmark': ['torchmetrics'],
    },
)
