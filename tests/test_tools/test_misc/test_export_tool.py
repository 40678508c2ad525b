"""tools/misc/export.py, from a checkpoint to a file that onnxruntime runs."""

import re

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from scipy.special import entr

from helpers.tool_runner import ABNN_CONFIG, data_options, run_tool, succeeded

SIZE = (64, 128)
NAME = 'test_ood/leftImg8bit/000000_leftImg8bit'


def export(*arguments, options):
    return run_tool('misc/export.py', *arguments, options=options)


@pytest.mark.usefixtures('without_plots')
def test_the_file_gives_the_maps_that_a_test_saves(abnn, data, tmp_path):
    out = tmp_path / 'made/abnn.onnx'
    # the network was hardly trained: its logits are close to zero
    options = {**data_options(data), 'model.test_cfg.temperature': 0.002}
    arguments = (abnn / 'abnn.pth', out, '--noise', 'input', '--size', *SIZE)
    result = succeeded(export(*arguments, options=options))
    files = re.findall(r'^Written: (\S+) \(', result.stdout, re.MULTILINE)
    assert files == [str(out), str(out.with_name('abnn_functions.npz'))]
    (shown,) = re.findall(r'^  probabilities: (\S+)$', result.stdout, re.MULTILINE)
    assert 0 < float(shown) < 1e-4

    image = np.asarray(Image.open(data / f'{NAME}.png'))[:, :, ::-1]  # BGR, as pipelines load it
    inputs = image.transpose(2, 0, 1)[None].astype(np.float32)
    session = onnxruntime.InferenceSession(str(out))
    functions = np.load(files[1])
    # three draws of two members, and the network itself, which the config takes the labels from
    assert functions['member'].tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert functions['weight'].tolist() == [1, 1, 1, 1, 1, 1, 0]
    p = []
    for noise, member in zip(functions['noise'], functions['member'], strict=True):
        given = dict(image=inputs, noise=noise, member=member[None])
        p.append(session.run(['probabilities'], given)[0][0])
    mean = np.average(p, axis=0, weights=functions['weight'])

    arguments = (ABNN_CONFIG, abnn / 'abnn.pth', '--work-dir', tmp_path, '--out', tmp_path / 'maps')
    succeeded(run_tool('test.py', *arguments, options=options))
    entropy = np.load(tmp_path / f'maps/{NAME}_entropy.npy')
    assert np.abs(entr(mean).sum(0) - entropy).max() < 1e-3
    assert np.ptp(entropy) > 1e-2
    labels = np.asarray(Image.open(tmp_path / f'maps/{NAME}_pred.png'))
    assert np.array_equal(p[-1].argmax(0), labels)


@pytest.mark.parametrize(
    ('out', 'options', 'message'),
    [
        ('abnn.pth', {}, "`path` must end in one of ('.onnx', '.pt2'), got"),
        (
            'abnn.onnx',
            {
                'model.test_cfg.mode': 'slide',
                'model.test_cfg.crop_size': '(32,32)',
                'model.test_cfg.stride': '(16,16)',
            },
            "test_cfg.mode='slide' cannot be exported: the number of windows depends",
        ),
    ],
)
def test_what_cannot_be_exported(out, options, message, abnn, data, tmp_path):
    arguments = (ABNN_CONFIG, tmp_path / out, '--weights', abnn / 'abnn.pth')
    result = export(*arguments, options={**data_options(data), **options})
    assert result.returncode == 1
    assert message in result.stderr.splitlines()[-1]
    assert not (tmp_path / out).exists()


def test_a_network_that_does_not_sample(base, data, tmp_path):
    options = data_options(data)
    out = tmp_path / 'base.onnx'
    result = export(base, out, options=options)
    assert 'TypeError: `model` must be a segmentor that samples' in result.stderr.splitlines()[-1]
