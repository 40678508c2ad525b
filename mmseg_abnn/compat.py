"""The one place that knows about versions and distributions of the OpenMMLab packages.

MMEngine, MMCV and MMSegmentation exist in two distributions that share their import names: the
maintained ``onedl-*`` packages and the upstream ones. Nothing else in this package may depend on
which of the two is installed.
"""

import copy
import importlib
import importlib.util
import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmengine.config import Config

INSTALL_HINT = (
    'mmseg_abnn needs PyTorch and one of the two distributions of the OpenMMLab packages.\n'
    '  maintained (default):  pip install "mmseg_abnn[onedl]"      '
    '(onedl-mmengine, onedl-mmcv, onedl-mmsegmentation)\n'
    '  upstream:              pip install "mmseg_abnn[openmmlab]"  '
    '(mmengine, mmcv built for your PyTorch, mmsegmentation)\n'
    'Install only one of them: they share import names and would overwrite each other.'
)
# torchvision's operators that its own import asks for
_TORCHVISION_OPERATORS = ('nms', 'qnms')
_declared: list[object] = []  # a library's operators live as long as it does
# import name -> (the maintained distribution, the upstream ones)
_DISTRIBUTIONS = {
    'mmengine': ('onedl-mmengine', ('mmengine', 'mmengine-lite')),
    'mmcv': ('onedl-mmcv', ('mmcv', 'mmcv-lite', 'mmcv-full')),
    'mmseg': ('onedl-mmsegmentation', ('mmsegmentation',)),
    'mmpretrain': ('onedl-mmpretrain', ('mmpretrain',)),
}
_PACKAGE = 'mmseg_abnn'  # its import name and its distribution's
_REQUIRED = ('torch', 'mmengine', 'mmcv', 'mmseg')
CLASSIFICATION_HINT = (
    'Classification needs MMPretrain, and the torchvision of your PyTorch:\n'
    '  maintained (default):  pip install "mmseg_abnn[onedl,classification]"      '
    '(onedl-mmpretrain)\n'
    '  upstream:              pip install "mmseg_abnn[openmmlab,classification-openmmlab]"  '
    '(mmpretrain)\n'
    'https://pytorch.org/get-started/previous-versions lists which torchvision belongs to which '
    'PyTorch.'
)


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


@contextmanager
def _without_line(line: str) -> Iterator[None]:
    """Keep a line from the screen; what else is printed appears at the end."""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        for other in printed.getvalue().splitlines():
            if other != line:
                print(other)


def check_stack() -> None:
    """Import PyTorch, MMEngine, MMCV and MMSegmentation, or say what to install.

    Raises:
        ImportError: If a package is missing, cannot be imported as installed, or is installed
            from both distributions. The message names the package, the reason and the remedy.
    """
    for module, (maintained, upstream) in _DISTRIBUTIONS.items():
        both = [name for name in (maintained, *upstream) if _installed(name)]
        if maintained in both and len(both) > 1:
            raise ImportError(
                f'`{module}` is installed by {" and ".join(both)}, which overwrite each other. '
                f'Uninstall all of them, then install one distribution.\n{INSTALL_HINT}'
            )
    # of an operator that MMCV comes without, and nothing here needs
    warnings.filterwarnings('ignore', 'Fail to import ``MultiScaleDeformableAttention``')
    for module in _REQUIRED:
        try:
            importlib.import_module(module)
            if module == 'torch':
                mend_torchvision()
            if module == 'mmseg':  # `import mmseg` alone does not touch its compiled parts
                with _without_line('Could not import OneDL'):
                    importlib.import_module('mmseg.models')
                    importlib.import_module('mmseg.datasets')
        # A mismatched stack fails in many ways: AssertionError from MMSegmentation's version
        # check, RuntimeError from torchvision's operators, OSError from a shared library.
        except (ImportError, AssertionError, RuntimeError, OSError, AttributeError) as error:
            raise ImportError(
                f'`{module}` cannot be imported: {type(error).__name__}: {error}\n{INSTALL_HINT}'
            ) from error


def package_versions() -> dict[str, str]:
    """Return the versions of this package and of those that it needs, as ``<name>_version``."""
    installed = {name: importlib.import_module(name) for name in (*_REQUIRED, _PACKAGE)}
    return {f'{name}_version': str(module.__version__) for name, module in installed.items()}


def check_classification() -> None:
    """Import MMPretrain, or say what to install.

    Raises:
        ImportError: If it is missing or cannot be imported as installed.
    """
    try:
        importlib.import_module('mmpretrain.models')
    except (ImportError, AssertionError, RuntimeError, OSError, AttributeError) as error:
        raise ImportError(
            f'`mmpretrain` cannot be imported: {type(error).__name__}: {error}\n'
            f'{CLASSIFICATION_HINT}'
        ) from error


def mend_torchvision() -> None:
    """Let torchvision be imported where its compiled operators do not load.

    PyPI's torchvision is compiled for CUDA. Beside a PyTorch without it the operators are missing,
    and so is what its import tells PyTorch about them: it fails, and with it MMPretrain and
    MMEngine's Runner, which need no such operator. The missing ones are declared here; calling
    them still fails, as it must. Where torchvision is absent or whole nothing is changed; another
    defect of it is left to those who import it.
    """
    import torch

    if importlib.util.find_spec('torchvision') is None:
        return
    try:
        importlib.import_module('torchvision')
    except (ImportError, OSError, RuntimeError) as error:
        if 'torchvision::' not in str(error):
            return
        for name in [name for name in sys.modules if name.partition('.')[0] == 'torchvision']:
            del sys.modules[name]
        library = torch.library.Library('torchvision', 'DEF')
        for name in _TORCHVISION_OPERATORS:
            library.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
        _declared.append(library)
        importlib.import_module('torchvision')


def enable_mmseg_config_inheritance() -> None:
    """Let configs inherit from ``mmseg::...`` on both distributions.

    MMEngine looks for MMSegmentation's configs in the distribution named ``mmsegmentation``; the
    maintained one is named ``onedl-mmsegmentation``. Must run before the config is read.
    """
    from mmengine.config.utils import MODULE2PACKAGE

    maintained = _DISTRIBUTIONS['mmseg'][0]
    if _installed(maintained):
        MODULE2PACKAGE['mmseg'] = maintained


def configs_folder() -> Path:
    """Return the folder of this package's configs: in ``.mim`` of a wheel, else in the sources."""
    package = Path(__file__).resolve().parent
    mim = package / '.mim'
    return (mim if mim.is_dir() else package.parent) / 'configs'


def installed_versions() -> dict[str, str]:
    """Return the version of each package that this one builds on, with its distribution.

    Nothing is imported: also what cannot be imported has a version.
    """
    found = {}
    for module, (maintained, upstream) in _DISTRIBUTIONS.items():
        names = [name for name in (maintained, *upstream) if _installed(name)]
        found[module] = ' and '.join(f'{version(n)} ({n})' for n in names) or 'not installed'
    for module in ('torch', 'torchvision', 'numpy'):
        found[module] = version(module) if _installed(module) else 'not installed'
    return found


def batch_norm_xd() -> type:
    """The class that MMEngine puts in the place of SyncBN where training is not distributed."""
    from mmengine.model.utils import _BatchNormXd

    return _BatchNormXd


def sync_batch_norm() -> type:
    """The subclass of torch's SyncBatchNorm that ``norm_cfg=dict(type='SyncBN')`` builds."""
    from mmengine.utils.dl_utils.parrots_wrapper import SyncBatchNorm

    return SyncBatchNorm


def imported_class(module: str, name: str) -> type | None:
    """A class of a package that may be missing, None as long as its module is not imported."""
    return getattr(sys.modules.get(module), name, None)


def swaps_channels(data_preprocessor: object) -> bool:
    """Tell whether a data preprocessor turns BGR into RGB, or back: its attribute has two names."""
    names = ('_channel_conversion', 'channel_conversion')
    return any(getattr(data_preprocessor, name, False) for name in names)


def prepare_distributed(cfg: 'Config', launcher: str) -> None:
    """Make MMEngine's ``pytorch`` launcher usable on machines without a GPU.

    MMEngine calls ``torch.cuda.set_device`` and wraps the model with ``device_ids``; both fail
    without CUDA. A gloo group started here is taken over by the Runner, and the wrapper's
    ``device_ids`` are cleared in ``cfg``, in place. With a GPU nothing is changed.

    Args:
        cfg: The config that the Runner will be built from.
        launcher: One of ``none``, ``pytorch``, ``slurm``, ``mpi``.
    """
    import torch
    import torch.distributed as dist

    if launcher != 'pytorch' or torch.cuda.is_available():
        return
    if not dist.is_initialized():
        missing = [k for k in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK') if k not in os.environ]
        if missing:
            raise RuntimeError(
                f'--launcher pytorch needs the environment variables {", ".join(missing)}: start '
                'the tool through tools/dist_train.sh, tools/dist_test.sh or torchrun'
            )
        dist.init_process_group(backend='gloo')
    # a copy of its own kind: a class that the config has imported stays a name, see ConfigDict
    wrapper = copy.copy(cfg.get('model_wrapper_cfg') or {})
    wrapper.setdefault('type', 'MMDistributedDataParallel')
    wrapper['device_ids'] = None
    cfg.model_wrapper_cfg = wrapper
