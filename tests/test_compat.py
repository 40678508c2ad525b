"""What is missing or broken is said in one clear error, before anything else fails."""

import json
import subprocess
import sys

import pytest
from mmengine.config import Config

from helpers.tool_runner import ROOT
from mmseg_abnn import compat

# in a fresh interpreter: as long as something is missing or broken, the import of the package ends
# with its error, and goes well afterwards
UNUSABLE = """
import json
import sys

sys.path.insert(0, sys.argv[1])
errors = {}


def attempt(name):
    try:
        import mmseg_abnn
    except ImportError as error:
        errors[name] = str(error)
    for module in [m for m in sys.modules if m.partition('.')[0] == 'mmseg_abnn']:
        del sys.modules[module]


def without(name):
    before = sys.modules.pop(name, None)
    sys.modules[name] = None
    attempt(name)
    del sys.modules[name]
    if before is not None:
        sys.modules[name] = before


class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == 'mmseg':
            raise AssertionError('MMCV==9 is used but incompatible')


without('torch')
import torch

try:
    import torchvision
except RuntimeError as error:
    errors['torchvision'] = str(error)
for name in ('mmengine', 'mmcv', 'mmseg'):
    without(name)
broken = Broken()
sys.meta_path.insert(0, broken)
attempt('broken mmseg')
sys.meta_path.remove(broken)
attempt('nothing')
import torchvision

print(json.dumps(errors))
"""
TORCHVISION = """
import torch
if {whole}:
    library = torch.library.Library('torchvision', 'DEF')
    library.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    library.define('qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
@torch.library.register_fake('torchvision::nms')
def nms(dets, scores, iou_threshold):
    return scores
@torch.library.register_fake('torchvision::qnms')
def qnms(dets, scores, iou_threshold):
    return scores
"""


def interpreted(code, *arguments):
    """Run code in a fresh interpreter; return what it printed at last."""
    command = [sys.executable, '-c', code, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[-1] if result.stdout else ''


@pytest.fixture(scope='module')
def errors(tmp_path_factory):
    """The errors of importing the package, by what was missing or broken.

    There is a torchvision all the while that registers shapes for operators that a build for CUDA
    cannot load without it.
    """
    folder = tmp_path_factory.mktemp('packages')
    (folder / 'torchvision.py').write_text(TORCHVISION.format(whole=False))
    return json.loads(interpreted(UNUSABLE, folder))


@pytest.mark.parametrize('module', ['torch', 'mmengine', 'mmcv', 'mmseg'])
def test_a_missing_package_gives_one_clear_error(errors, module):
    assert errors[module].startswith(f'`{module}` cannot be imported')
    assert 'pip install "mmseg_abnn[onedl]"' in errors[module]


def test_an_unusable_package_gives_the_same_error(errors):
    expected = '`mmseg` cannot be imported: AssertionError: MMCV==9'
    assert errors['broken mmseg'].startswith(expected)
    assert 'Install only one of them' in errors['broken mmseg']


def test_torchvision_without_its_operators_can_be_imported(errors):
    # not by itself; beside the package it can, else the process had failed
    assert 'torchvision::nms' in errors['torchvision']
    assert 'nothing' not in errors


def test_a_whole_torchvision_stays_as_it_is(tmp_path):
    (tmp_path / 'torchvision.py').write_text(TORCHVISION.format(whole=True))
    interpreted(
        'import sys; sys.path.insert(0, sys.argv[1]); import torchvision; import mmseg_abnn; '
        'assert sys.modules["torchvision"] is torchvision; '
        'from mmseg_abnn import compat; assert not compat._declared',
        tmp_path,
    )


def test_another_defect_of_torchvision_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / 'torchvision.py').write_text("raise ImportError('no pillow')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition('.')[0] == 'torchvision']:
        monkeypatch.delitem(sys.modules, name)
    compat.check_stack()
    with pytest.raises(ImportError, match='no pillow'):
        import torchvision  # noqa: F401


def test_two_distributions_at_once_are_reported(monkeypatch):
    monkeypatch.setattr(compat, '_installed', lambda name: name in ('onedl-mmcv', 'mmcv'))
    with pytest.raises(ImportError, match='`mmcv` is installed by onedl-mmcv and mmcv'):
        compat.check_stack()


def test_what_classification_needs_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmpretrain', None)
    monkeypatch.delitem(sys.modules, 'mmpretrain.models', raising=False)
    with pytest.raises(ImportError, match=r'^`mmpretrain` cannot be imported') as info:
        compat.check_classification()
    assert 'pip install "mmseg_abnn[onedl,classification]"' in str(info.value)


def test_configs_inherit_from_mmsegmentation(tmp_path):
    child = tmp_path / 'child.py'
    child.write_text(
        "_base_ = 'mmseg::deeplabv3plus/deeplabv3plus_r50-d8_4xb2-80k_cityscapes-512x1024.py'\n"
        'model = dict(decode_head=dict(num_classes=9))\n'
    )
    cfg = Config.fromfile(child)
    assert cfg.model.decode_head.type == 'DepthwiseSeparableASPPHead'
    assert cfg.model.decode_head.num_classes == 9
    assert cfg.train_cfg.max_iters == 80000


def test_configs_inherit_from_this_package(tmp_path):
    child = tmp_path / 'child.py'
    child.write_text("_base_ = 'mmseg_abnn::abnn/deeplabv3plus_muad.py'\nabnn = dict(alpha=0.2)\n")
    expected = Config.fromfile(ROOT / 'configs/abnn/deeplabv3plus_muad.py')
    expected.abnn.alpha = 0.2
    assert Config.fromfile(child).to_dict() == expected.to_dict()


def test_an_unknown_config_of_this_package_is_named(tmp_path):
    child = tmp_path / 'child.py'
    child.write_text("_base_ = 'mmseg_abnn::abnn/unknown.py'\n")
    with pytest.raises(FileNotFoundError) as error:
        Config.fromfile(child)
    assert str(child) in str(error.value)
    assert "names 'mmseg_abnn::abnn/unknown.py', but" in str(error.value)
    assert f'below {ROOT / "configs"}' in str(error.value)


def test_prefixes_of_others_are_left_to_mmengine(tmp_path):
    child = tmp_path / 'child.py'
    child.write_text("_base_ = 'mmseg_abnn_of_another::abnn/deeplabv3plus_muad.py'\n")
    with pytest.raises(AssertionError, match='mmseg_abnn_of_another'):
        Config.fromfile(child)


def test_prepare_distributed_leaves_a_single_process_alone():
    cfg = Config(dict(model=dict()))
    compat.prepare_distributed(cfg, 'none')
    assert 'model_wrapper_cfg' not in cfg


def test_prepare_distributed_names_missing_variables(monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError, match='needs the environment variables RANK, WORLD_SIZE'):
        compat.prepare_distributed(Config(dict()), 'pytorch')
