"""Metadata of the package, and what a built package holds; how it is checked is in pyproject.toml.

Configs, tools and model-index.yml go into the folder ``mmseg_abnn/.mim`` of what is built, where
OpenMMLab's packages keep theirs. Nothing is written into the source tree.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# The public address of the repository, such as 'https://github.com/OWNER/NAME'. None as long as it
# has none: the package's page then shows the words of the README's links to files, and no pictures.
REPOSITORY: str | None = None
_SUFFIXES = {'.py', '.sh', '.yml'}  # of configs and tools; data and caches beside them stay out
_LINK = re.compile(r'(!?)\[([^\]]*)\]\((?!\w+:|#)([^)\s]+)\)')  # to a file of the repository


def read_version() -> str:
    """Return the version that the package states, without importing it."""
    text = (ROOT / 'mmseg_abnn' / '__init__.py').read_text(encoding='utf-8')
    found = re.search(r"^__version__ = '(.+)'$", text, re.MULTILINE)
    if found is None:
        raise RuntimeError('mmseg_abnn/__init__.py defines no __version__')
    return found.group(1)


def for_package_page(text: str, repository: str | None) -> str:
    """Rewrite a text's links to files of the repository for a page that is shown elsewhere.

    Args:
        text: Markdown whose links are relative to the top of the repository.
        repository: Its address on GitHub. Without one, links become their words and pictures go.
    """

    def rewritten(link: re.Match[str]) -> str:
        picture, words, path = link.groups()
        if repository is None:
            return '' if picture else words
        return f'{picture}[{words}]({repository}/{"raw" if picture else "blob"}/HEAD/{path})'

    return _LINK.sub(rewritten, text)


def shipped_files() -> Iterator[Path]:
    """Yield what goes into ``.mim``, relative to the top of the repository."""
    for folder in ('configs', 'tools'):
        for path in sorted((ROOT / folder).rglob('*')):
            if path.suffix in _SUFFIXES and path.is_file():
                yield path.relative_to(ROOT)
    yield Path('model-index.yml')


class BuildWithConfigsAndTools(build_py):
    """Builds the package, and ``.mim`` in it; an editable install uses the repository itself."""

    def run(self) -> None:
        """Build into ``build_lib``."""
        super().run()
        mim = Path(self.build_lib, 'mmseg_abnn', '.mim')
        shutil.rmtree(mim, ignore_errors=True)  # of an earlier build
        for path in shipped_files():
            os.makedirs(mim / path.parent, exist_ok=True)
            shutil.copy(ROOT / path, mim / path)  # with its mode: scripts stay executable


if __name__ == '__main__':
    setup(
        name='mmseg_abnn',
        version=read_version(),
        description='Make a trained MMSegmentation segmentor Bayesian: per-pixel uncertainty that '
        'finds out-of-distribution objects',
        long_description=for_package_page(
            (ROOT / 'README.md').read_text(encoding='utf-8'), REPOSITORY
        ),
        long_description_content_type='text/markdown',
        url=REPOSITORY,
        project_urls={'Paper': 'https://arxiv.org/abs/2312.15297'},
        license_expression='Apache-2.0',
        license_files=['LICENSE'],
        keywords='uncertainty, Bayesian, calibration, out-of-distribution, segmentation, OpenMMLab',
        classifiers=[
            'Development Status :: 4 - Beta',
            'Intended Audience :: Science/Research',
            'Programming Language :: Python :: 3',
            'Programming Language :: Python :: 3 :: Only',
            'Topic :: Scientific/Engineering :: Artificial Intelligence',
            'Topic :: Scientific/Engineering :: Image Recognition',
        ],
        python_requires='>=3.10',
        packages=find_packages(include=['mmseg_abnn', 'mmseg_abnn.*']),
        cmdclass={'build_py': BuildWithConfigsAndTools},
        entry_points={'console_scripts': ['mmseg-abnn = mmseg_abnn.command:main']},
        zip_safe=False,
        # The OpenMMLab packages exist in two distributions with the same import names. Neither is
        # required here, so that installing this package never puts one over the other. OpenCV
        # comes with both: it has several distributions, too.
        install_requires=[
            'torch>=2.1',
            'numpy',
            'pillow',
            'safetensors',
            'matplotlib',
            'prettytable',
        ],
        extras_require={
            'onedl': [
                'onedl-mmengine>=0.10.12',
                'onedl-mmcv>=2.3.6',
                'onedl-mmsegmentation>=1.4.2',
            ],
            'openmmlab': [
                'mmengine>=0.10.7',
                'mmcv>=2.1.0',
                'mmsegmentation>=1.2.2',
                'ftfy',
                'regex',
            ],
            # and torchvision, which is not named here: pip would put the PyTorch of the newest one
            # in the place of yours. SciPy reads SVHN, the digits come with scikit-learn.
            'classification': ['onedl-mmpretrain>=1.3.6', 'scipy', 'scikit-learn'],
            'classification-openmmlab': ['mmpretrain>=1.2.0', 'scipy', 'scikit-learn'],
            'test': [
                'pytest',
                'pytest-xdist',
                'filelock',
                'hypothesis',
                'scikit-learn',
                'ruff',
                'mypy',
                'import-linter',
                'onnx>=1.18',
                'onnxscript>=0.5',
                'onnxruntime>=1.22',
                'setuptools>=77',
            ],
            # the last one runs what is exported, which a tool then compares
            'export': ['onnx>=1.18', 'onnxscript>=0.5', 'onnxruntime>=1.22'],
            'benchmark': ['torchmetrics', 'scikit-learn'],
        },
    )
