"""Tests that a comparison runs: their arguments, their checks, and when they are repeated."""

import json
import os
import re

import pytest
import torch
from mmseg.registry import MODELS
from torch import nn

from comparison import Method, carry_out, finished_metrics, plan_run
from comparison.runs import available_scores
from helpers.tool_runner import ABNN_CONFIG, BASE_CONFIG
from mmseg_abnn.evaluation.metrics.segmentation.samples import read_score
from mmseg_abnn.models.running_prediction import RunningPrediction

TOOL = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1])
calls = folder / 'calls.json'
before = json.loads(calls.read_text()) if calls.is_file() else []
calls.write_text(json.dumps([*before, sys.argv[1:]]))
(folder / 'metrics.json').write_text(json.dumps({'ood/mIoU': 50 + len(before), 'other': 1}))
sys.exit(len(before) == 3)
"""


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / 'net.pth'
    path.write_text('weights')
    return path


def make(config, checkpoint, scores=('msp',), **options):
    return Method('net', str(config), str(checkpoint), scores, (), options)


def write_config(tmp_path, metrics, mode='whole'):
    path = tmp_path / 'config.py'
    model = dict(type='EncoderDecoder', test_cfg=dict(mode=mode))
    path.write_text(f'model = {model}\ntest_evaluator = {metrics}\n')
    return path


def test_arguments(checkpoint, tmp_path):
    method = make(ABNN_CONFIG, checkpoint, ('entropy', 'mutual_information'), **{'abnn.seed': '4'})
    run = plan_run(method, 2, tmp_path / 'out')
    work_dir = tmp_path / 'out/net/2'
    options = ['--cfg-options', 'abnn.seed=4', 'test_evaluator.scores=[entropy,mutual_information]']
    expected = [str(ABNN_CONFIG), str(checkpoint), '--work-dir', str(work_dir), *options]
    assert list(run.arguments) == expected
    assert run.cfg.model.test_cfg.seed == 4
    assert run.cfg.test_evaluator.scores == ['entropy', 'mutual_information']
    assert (run.cfg.load_from, run.work_dir, run.seed) == (str(checkpoint), work_dir, 2)


def test_the_metric_among_others(checkpoint, tmp_path):
    metric = dict(type='UncertaintyMetric', prefix='ood')
    config = write_config(tmp_path, [dict(type='IoUMetric'), metric])
    run = plan_run(make(config, checkpoint), 0, tmp_path)
    assert run.arguments[-1] == 'test_evaluator.1.scores=[msp]'
    assert run.cfg.test_evaluator[1].scores == ['msp']
    assert run.prefix == 'ood/'
    for metrics in (dict(type='IoUMetric'), [metric, metric], None):
        config = write_config(tmp_path, metrics)
        with pytest.raises(ValueError, match=r"'net': `test_evaluator` of .* must hold one Unc"):
            plan_run(make(config, checkpoint), 0, tmp_path)


@pytest.mark.parametrize(
    ('config', 'options', 'message'),
    [
        (BASE_CONFIG, {}, "the `scores` of EncoderDecoder are ['msp', 'entropy', 'max_logit', "),
        (ABNN_CONFIG, {'abnn.alpha': '-1'}, 'deeplabv3plus_mini_streets.py: `abnn.alpha` must be'),
    ],
)
def test_wrong_settings(config, options, message, checkpoint, tmp_path):
    method = make(config, checkpoint, ('msp', 'mutual_information'), **options)
    with pytest.raises(ValueError, match=f"method 'net': .*{re.escape(message)}"):
        plan_run(method, 0, tmp_path)


def test_known_scores_are_those_that_there_are(tmp_path, checkpoint, monkeypatch):
    logits = torch.randn(3, 4, 5)
    of_logits = ('msp', 'entropy', 'max_logit', 'energy')
    for score in of_logits:
        read_score({'seg_logits': {'data': logits}}, score)
    running = RunningPrediction()
    running.add(logits)
    of_draws = available_scores(plan_run(make(ABNN_CONFIG, checkpoint), 0, tmp_path).cfg)
    assert set(running.mean().uncertainty) == set(of_draws)
    cfg = plan_run(make(BASE_CONFIG, checkpoint), 0, tmp_path).cfg
    assert available_scores(cfg) == of_logits

    class OfAnotherPackage(nn.Module):
        """May put any map into its predictions."""

    monkeypatch.setitem(MODELS.module_dict, 'OfAnotherPackage', OfAnotherPackage)
    cfg.model.type = 'OfAnotherPackage'
    assert available_scores(cfg) is None


def test_finished_tests_are_not_repeated(checkpoint, tmp_path):
    tool = tmp_path / 'tool.py'
    tool.write_text(TOOL)
    metric = dict(type='UncertaintyMetric', prefix='ood')
    config = write_config(tmp_path, metric)

    def plan(**options):
        return plan_run(make(config, checkpoint, **options), 0, tmp_path / 'out')

    run = plan()
    assert finished_metrics(run) is None
    assert carry_out(run, tool) == {'mIoU': 50}
    assert json.loads((run.work_dir / 'calls.json').read_text()) == [list(run.arguments)]
    assert finished_metrics(plan()) == {'mIoU': 50}
    # what makes it another test
    assert finished_metrics(plan(scores=('entropy',))) is None
    assert finished_metrics(plan(**{'model.test_cfg.mode': 'slide'})) is None
    write_config(tmp_path, metric, mode='slide')
    assert finished_metrics(plan()) is None
    write_config(tmp_path, metric)
    assert finished_metrics(plan()) == {'mIoU': 50}
    stamp = os.stat(checkpoint)
    os.utime(checkpoint, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    assert finished_metrics(plan()) is None
    assert carry_out(plan(), tool) == {'mIoU': 51}
    checkpoint.write_text('other weights')
    assert finished_metrics(plan()) is None
    assert carry_out(plan(), tool) == {'mIoU': 52}
    assert finished_metrics(plan()) == {'mIoU': 52}
    with pytest.raises(RuntimeError, match="the test of method 'net' with seed 0 failed with exit"):
        carry_out(plan(), tool)
    assert finished_metrics(plan()) is None  # the numbers in the folder are those of a failure
