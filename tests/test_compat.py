import subprocess
import sys

import pytest
from mmengine.config import Config

from helpers.tool_runner import ROOT
from mmseg_abnn import compat


def import_with(prelude):
    """Import the package in a fresh interpreter after ``prelude``; return the completed process."""
    code = f'import sys, types\n{prelude}\nimport mmseg_abnn'
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)


@pytest.mark.parametrize('module', ['torch', 'mmengine', 'mmcv', 'mmseg'])
def test_a_missing_package_gives_one_clear_error(module):
    result = import_with(f'sys.modules[{module!r}] = None')
    last = result.stderr.strip().splitlines()
    assert result.returncode != 0
    assert any(line.startswith(f'ImportError: `{module}` cannot be imported') for line in last)
    assert 'pip install "mmseg_abnn[onedl]"' in result.stderr


def test_an_unusable_package_gives_the_same_error():
    broken = """
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == 'mmseg':
            raise AssertionError('MMCV==9 is used but incompatible')
sys.meta_path.insert(0, Broken())"""
    result = import_with(broken)
    assert 'ImportError: `mmseg` cannot be imported: AssertionError: MMCV==9' in result.stderr
    assert 'Install only one of them' in result.stderr


def test_two_distributions_at_once_are_reported(monkeypatch):
    monkeypatch.setattr(compat, '_installed', lambda name: name in ('onedl-mmcv', 'mmcv'))
    with pytest.raises(ImportError, match='`mmcv` is installed by onedl-mmcv and mmcv'):
        compat.check_stack()


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


@pytest.mark.parametrize('whole', [True, False])
def test_torchvision_without_its_operators_can_be_imported(tmp_path, whole):
    # torchvision registers shapes for operators that a build for CUDA cannot load without it
    (tmp_path / 'torchvision.py').write_text(TORCHVISION.format(whole=whole))
    path = f'sys.path.insert(0, {str(tmp_path)!r})'
    result = import_with(f'{path}\nimport torchvision' if whole else path)
    assert result.returncode == 0, result.stderr
    alone = subprocess.run(
        [sys.executable, '-c', f'import sys; {path}; import torchvision'], capture_output=True
    )
    assert (alone.returncode == 0) == whole


def test_another_defect_of_torchvision_is_left_alone(tmp_path):
    (tmp_path / 'torchvision.py').write_text("raise ImportError('no pillow')")
    path = f'sys.path.insert(0, {str(tmp_path)!r})'
    assert import_with(path).returncode == 0


def test_what_classification_needs_is_named():
    code = (
        "import sys; sys.modules['mmpretrain'] = None\n"
        'from mmseg_abnn.compat import check_classification\ncheck_classification()'
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert 'ImportError: `mmpretrain` cannot be imported' in result.stderr
    assert 'pip install "mmseg_abnn[onedl,classification]"' in result.stderr
