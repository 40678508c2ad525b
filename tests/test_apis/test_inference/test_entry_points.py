"""MMSegmentation's own ways to a network predict with all members, or say what to call."""

import copy
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import Runner, load_checkpoint
from mmseg.apis import MMSegInferencer
from mmseg.apis import inference_model as mmseg_inference_model
from mmseg.apis import init_model as mmseg_init_model

from helpers.abnn_files import ALPHA, PIPELINE, picture, save_abnn, section_config
from mmseg_abnn.apis import expand_abnn_section, inference_model, init_model
from mmseg_abnn.conversion import convert_to_abnn

REFUSED = (
    "the checkpoint is an ABNN's with 2 members, and EncoderDecoder would predict without them: "
    'call mmseg_abnn.apis.init_model or ABNNInferencer'
)
NOT_CONVERTED = (
    'MCEncoderDecoder draws noise, but holds no Bayesian normalization layer: .* Call '
    'mmseg_abnn.apis.init_model or ABNNInferencer'
)


def expanded():
    cfg = section_config()
    expand_abnn_section(cfg)
    # MMSegmentation looks for its pipeline here, and knows of its own loader of labels alone
    cfg.test_pipeline = [t for t in PIPELINE if t['type'] != 'LoadOODAnnotations']
    cfg.test_dataloader = dict(dataset=dict(pipeline=copy.deepcopy(cfg.test_pipeline)))
    return cfg


def unread():
    """Return the config as programs see it that know of no section."""
    cfg = section_config()
    cfg.test_dataloader = expanded().test_dataloader
    return cfg


@pytest.fixture
def abnn(tmp_path):
    return save_abnn(tmp_path, expanded())


@pytest.mark.parametrize(
    ('config', 'error', 'message'),
    [(unread, ValueError, REFUSED), (expanded, RuntimeError, NOT_CONVERTED)],
)
def test_functions_of_mmsegmentation_refuse(abnn, config, error, message):
    with pytest.raises(error, match=message):
        mmseg_init_model(config(), abnn, device='cpu')
    with pytest.raises(error, match=message):
        MMSegInferencer(config(), weights=abnn, device='cpu')


def test_a_runner_refuses_members_and_a_section_that_nobody_reads(abnn, tmp_path):
    cfg = unread()
    cfg.work_dir, cfg.load_from = str(tmp_path / 'work'), abnn
    for loader in ('train_dataloader', 'test_dataloader'):
        cfg[loader] = None
    with pytest.raises(ValueError, match='a section `abnn`, which this program does not read'):
        Runner.from_cfg(cfg)
    cfg.pop('abnn')
    with pytest.raises(ValueError, match=REFUSED):
        Runner.from_cfg(cfg).load_or_resume()


def test_a_converted_network_takes_the_members_by_hand(abnn):
    model = MODELS.build(expanded().model)
    convert_to_abnn(model, alpha=ALPHA)
    load_checkpoint(model, abnn, map_location='cpu')
    assert len(model.members) == 2


def test_inference_model_of_mmsegmentation_is_right(abnn):
    model = init_model(abnn, device='cpu')
    images = [picture(0), picture(1)]
    expected = inference_model(model, images)
    for result, other in zip(mmseg_inference_model(model, images), expected, strict=True):
        torch.testing.assert_close(result.probabilities.data, other.probabilities.data)
        assert torch.equal(result.pred_sem_seg.data, other.pred_sem_seg.data)


def test_a_program_that_never_imported_the_package_is_refused(abnn, tmp_path):
    cfg = unread()
    cfg.pop('abnn')
    Config(cfg.to_dict()).dump(tmp_path / 'plain.py')
    program = (
        'import sys; from mmseg.apis import init_model; assert "mmseg_abnn" not in sys.modules; '
        f'init_model({str(tmp_path / "plain.py")!r}, {abnn!r}, device="cpu"); print("LOADED")'
    )
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert 'LOADED' not in done.stdout
    last = done.stderr.strip()
    # MMEngine before 0.10.12 loads safely or not at all, and PyTorch names the class
    assert REFUSED in last or 'GLOBAL mmseg_abnn.checkpoint.LoadByInitModel' in last
