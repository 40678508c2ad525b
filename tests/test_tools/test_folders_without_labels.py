"""tools/test.py on images without labels, and on images of one name in several folders."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.pictures import read_picture
from helpers.tool_runner import ABNN_CONFIG, run_tool, succeeded
from mmseg_abnn.datasets import MiniStreetsDataset
from mmseg_abnn.evaluation.saved_predictions import PredictionWriter
from mmseg_abnn.evaluation.score_maps import read_score_map

META = MiniStreetsDataset.METAINFO
NAMES = ('seq0/camera/0000', 'seq1/camera/0000')
FIGURES = ('mIoU', 'ECE', 'AUPR', 'AUROC', 'FPR95')


@pytest.fixture(scope='module')
def folders(data, tmp_path_factory):
    """Two OOD images, each called 0000.png in a folder of its own, and their labels apart."""
    root = tmp_path_factory.mktemp('folders')
    for index, name in enumerate(NAMES):
        stored = np.asarray(Image.open(data / f'test_ood/leftLabel/{index:06d}_leftLabel.png'))
        label = np.full(stored.shape, 255, np.uint8)
        for new, old in enumerate(MiniStreetsDataset.STORED_IDS):
            label[stored == old] = new
        for folder in ('images', 'labels'):
            (root / folder / name).parent.mkdir(parents=True)
        shutil.copy(
            data / f'test_ood/leftImg8bit/{index:06d}_leftImg8bit.png', root / f'images/{name}.png'
        )
        Image.fromarray(label).save(root / f'labels/{name}.png')
    return root


def config(
    path, root, labels=False, more='', evaluator="type='UncertaintyMetric', histogram_bits=10"
):
    """Write a config of a plain data set with MMSegmentation's own pipeline."""
    prefix = "dict(img_path='images'" + (", seg_map_path='labels')" if labels else ')')
    path.write_text(
        f'_base_ = {str(ABNN_CONFIG)!r}\n'
        f"plain = dict(type='BaseSegDataset', data_root={str(root)!r}, data_prefix={prefix},\n"
        f"    img_suffix='.png', metainfo=dict(classes={META['classes']}), test_mode=True,\n"
        f"    pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'),\n"
        "              dict(type='PackSegInputs')])\n"
        'test_dataloader = dict(dataset=dict(_delete_=True, **plain))\n'
        f'test_evaluator = dict(_delete_=True, {evaluator})\n{more}'
    )
    return path


def run_test(abnn, cfg, tmp_path, *arguments):
    arguments = (cfg, abnn / 'abnn.pth', '--work-dir', tmp_path / 'work', *arguments)
    return run_tool('test.py', *arguments)


def test_predictions_maps_and_pictures(abnn, tested, data, folders, tmp_path):
    """They are those of the same images with labels; what is not measured is said."""
    # nor does the config name a visualizer, or a hook that draws the uncertainty
    more = (
        "visualizer = None\ndefault_hooks = dict(visualization=dict(type='SegVisualizationHook'))\n"
    )
    cfg = config(tmp_path / 'hidden.py', folders, more=more)
    out, show = tmp_path / 'out', tmp_path / 'show'
    arguments = ('--out', out, '--out-format', 'png', '--show-dir', show)
    result = succeeded(run_test(abnn, cfg, tmp_path, *arguments))
    metrics = json.loads((tmp_path / 'work/metrics.json').read_text())
    text = metrics.pop('not_measured')
    assert metrics == {'num_images': 2}
    assert text.startswith('no labels: ')
    assert all(f' {name}' in text for name in FIGURES)
    assert text in result.stdout + result.stderr
    report = json.loads((tmp_path / 'work/report/report.json').read_text())
    assert report['not_measured'] == text

    files = {path.relative_to(out).as_posix() for path in out.rglob('*.*')}
    ends = ('pred', 'msp', 'entropy')
    assert files == {f'images/{name}_{end}.png' for name in NAMES for end in ends}
    pictures = {path.relative_to(show).as_posix() for path in show.rglob('*.*')}
    assert pictures == {f'images/{name}.png' for name in NAMES}
    for index, name in enumerate(NAMES):
        same = tested / f'out/test_ood/leftImg8bit/{index:06d}_leftImg8bit'
        prediction = np.asarray(Image.open(out / f'images/{name}_pred.png'))
        np.testing.assert_array_equal(prediction, np.asarray(Image.open(f'{same}_pred.png')))
        for score, high in (('msp', 1 - 1 / 9), ('entropy', np.log(9))):
            found = read_score_map(out / f'images/{name}_{score}.png')
            half = high / 131070 + 1e-6
            np.testing.assert_allclose(found, np.load(f'{same}_{score}.npy'), rtol=0, atol=half)
        # image, prediction and uncertainty; no labels
        picture = read_picture(show / f'images/{name}.png')
        np.testing.assert_array_equal(
            picture[:, :128], read_picture(folders / f'images/{name}.png')
        )
        colors = picture[:, 132:260]
        for label in np.unique(prediction):
            assert len(np.unique(colors[prediction == label], axis=0)) == 1
        assert len(np.unique(colors.reshape(-1, 3), axis=0)) == len(np.unique(prediction))


def no_figure(tmp_path, result, *messages):
    """The tool ended with these messages, before anything was predicted."""
    assert result.returncode != 0
    for message in messages:
        assert message in result.stderr
    assert not (tmp_path / 'out').exists()
    assert not (tmp_path / 'work/metrics.json').exists()
    assert 'Epoch(test)' not in result.stdout


def test_a_metric_that_needs_labels(abnn, folders, tmp_path):
    cfg = config(tmp_path / 'iou.py', folders, evaluator="type='IoUMetric', iou_metrics=['mIoU']")
    no_figure(
        tmp_path,
        run_test(abnn, cfg, tmp_path),
        'the test set has no labels, which IoUMetric needs: take '
        "test_evaluator=dict(type='UncertaintyMetric')",
    )


def test_labels_of_some_images(abnn, folders, tmp_path):
    shutil.copytree(folders, tmp_path / 'some')
    (tmp_path / f'some/labels/{NAMES[1]}.png').unlink()
    cfg = config(tmp_path / 'some.py', tmp_path / 'some', labels=True)
    result = run_test(abnn, cfg, tmp_path, '--out', tmp_path / 'out')
    no_figure(tmp_path, result, f'some/images/{NAMES[1]}.png has no label: there is no file')


def test_a_format_without_a_folder(abnn, folders, tmp_path):
    cfg = config(tmp_path / 'hidden.py', folders)
    result = run_test(abnn, cfg, tmp_path, '--out-format', 'pth')
    no_figure(tmp_path, result, '--out-format needs --out, the folder to save to')


def labels_of(folders):
    return {name: np.asarray(Image.open(folders / f'labels/{name}.png')) for name in NAMES}


@pytest.mark.parametrize('format', ['npy', 'png', 'pth'])
def test_perfect_predictions_of_images_of_one_name(format, folders, tmp_path):
    """Each is compared with the label of its own image: mIoU 100, ECE 25."""
    cfg = config(tmp_path / 'labelled.py', folders, labels=True)
    writer = PredictionWriter(tmp_path / 'saved', format)
    for name, label in labels_of(folders).items():
        classes = np.where(label == 255, 0, label)
        maps = {'msp': np.full(label.shape, 0.25)}
        writer.write(f'images/{name}.png', classes, maps, {'msp': (0, 1)})
    arguments = (cfg, tmp_path / 'saved', '--work-dir', tmp_path / 'work')
    succeeded(run_tool('analysis_tools/evaluate_predictions.py', *arguments))
    metrics = json.loads((tmp_path / 'work/metrics.json').read_text())
    assert metrics['mIoU'] == 100
    assert metrics['ECE'] == pytest.approx(25, abs=1e-3)


def test_predictions_that_cannot_be_told_apart(folders, tmp_path):
    cfg = config(tmp_path / 'labelled.py', folders, labels=True)
    (tmp_path / 'saved/camera').mkdir(parents=True)
    label = labels_of(folders)[NAMES[0]]
    content = {'conf': torch.ones(label.shape), 'pred': torch.from_numpy(label).long()}
    torch.save(content, tmp_path / 'saved/camera/0000.pth')
    tool = 'analysis_tools/evaluate_predictions.py'
    arguments = (tmp_path / 'saved', '--work-dir', tmp_path / 'work')
    no_figure(tmp_path, run_tool(tool, cfg, *arguments), 'cannot be told apart')
    cfg = config(tmp_path / 'hidden.py', folders)
    no_figure(tmp_path, run_tool(tool, cfg, *arguments), 'has no labels to measure')
