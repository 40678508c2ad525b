import math
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmengine.visualization import Visualizer
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample
from PIL import Image

from mmseg_abnn.engine.hooks import uncertainty_visualization_hook as hook_module
from mmseg_abnn.engine.hooks.uncertainty_visualization_hook import UncertaintyVisualizationHook

PALETTE = [[128, 64, 128], [0, 0, 142], [70, 130, 180]]
META = dict(classes=('road', 'car', 'sky'), palette=PALETTE, ood_id=254)
SIZE = (6, 8)
COLUMN = 8 + 4  # the width of an image and of a gap


@pytest.fixture
def runner(tmp_path):
    """What the hook uses of a Runner; the visualizer is a real one."""
    visualizer = Visualizer(
        vis_backends=[dict(type='LocalVisBackend')], save_dir=str(tmp_path / 'shown')
    )
    visualizer.dataset_meta = META
    return SimpleNamespace(visualizer=visualizer, iter=100)


@pytest.fixture
def make_sample(tmp_path):
    def make(split='test_ood', name='000000_leftImg8bit', labels=True):
        path = tmp_path / str(split) / f'{name}.png'
        path.parent.mkdir(exist_ok=True)
        image = np.random.default_rng(len(str(split))).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        Image.fromarray(image).save(path)
        meta = dict(img_path=str(path)) | ({'split': split} if split else {})
        sample = SegDataSample(metainfo=meta)
        logits = torch.full((3, *SIZE), -100.0)
        logits[1] = 0
        logits[:, 2:] = 0  # entropy 0 in the first two rows, ln 3 below
        label = torch.ones(1, *SIZE, dtype=torch.long)
        label[0, 2, :4], label[0, 3] = 254, 255
        if labels:
            sample.gt_sem_seg = PixelData(data=label)
        sample.seg_logits = PixelData(data=logits)
        sample.pred_sem_seg = PixelData(data=torch.ones_like(label))
        spread = torch.linspace(0, 0.2, 48).reshape(1, *SIZE)
        sample.uncertainty = PixelData(mutual_information=spread)
        return sample

    return make


def pictures(tmp_path):
    folder = tmp_path / 'shown' / 'vis_data' / 'vis_image'
    return {path.name: np.asarray(Image.open(path)) for path in folder.glob('*')}


def colormap_rgb(value):
    return matplotlib.colormaps['inferno'](value, bytes=True)[:3]


def test_pixels_of_the_picture(runner, make_sample, tmp_path):
    sample = make_sample()
    hook = HOOKS.build(dict(type='UncertaintyVisualizationHook', draw=True))
    hook.after_test_iter(runner, 0, {}, [sample])
    ((name, picture),) = pictures(tmp_path).items()
    assert name == 'test_test_ood_000000_leftImg8bit_1.png'
    assert picture.shape == (6, 4 * 8 + 3 * 4, 3)
    image, labels, prediction, uncertainty = (
        picture[:, i * COLUMN : i * COLUMN + 8] for i in range(4)
    )
    np.testing.assert_array_equal(image, np.asarray(Image.open(sample.img_path)))
    np.testing.assert_array_equal(labels[2], [[0, 255, 255]] * 4 + [PALETTE[1]] * 4)
    assert (labels[3] == 0).all()
    assert (prediction == PALETTE[1]).all()
    # Entropy has a fixed scale that ends at ln 3.
    assert (uncertainty[:2] == colormap_rgb(0.0)).all()
    assert (uncertainty[2:] == colormap_rgb(1.0)).all()


def test_images_of_the_same_name_do_not_collide(runner, make_sample, tmp_path):
    hook = UncertaintyVisualizationHook(draw=True)
    samples = [make_sample('test_id'), make_sample('test_ood'), make_sample('test_ood')]
    hook.after_test_iter(runner, 0, {}, samples[:2])
    hook.after_test_iter(runner, 1, {}, samples[2:])
    drawn = pictures(tmp_path)
    assert sorted(drawn) == [
        'test_test_id_000000_leftImg8bit_1.png',
        'test_test_ood_000000_leftImg8bit_2.png',
        'test_test_ood_000000_leftImg8bit_3.png',
    ]
    for name, sample in zip(sorted(drawn), samples, strict=True):
        np.testing.assert_array_equal(drawn[name][:, :8], np.asarray(Image.open(sample.img_path)))


def test_other_score_without_labels_and_split(runner, make_sample, tmp_path):
    hook = UncertaintyVisualizationHook(draw=True, score='mutual_information')
    hook.after_test_iter(runner, 0, {}, [make_sample(split='', labels=False)])
    ((name, picture),) = pictures(tmp_path).items()
    assert name == 'test_000000_leftImg8bit_1.png'
    assert picture.shape == (6, 3 * 8 + 2 * 4, 3)
    # The scale of this score ends at the largest value of the image.
    np.testing.assert_array_equal(picture[-1, -1], colormap_rgb(1.0))


def test_a_map_of_the_model_is_drawn_without_a_softmax(runner, make_sample, tmp_path, monkeypatch):
    sample = make_sample()
    values = torch.full((1, *SIZE), math.log(3) / 2)
    sample.uncertainty = PixelData(entropy=values)

    def softmax(*_):
        raise AssertionError('a softmax is computed')

    monkeypatch.setattr(torch, 'softmax', softmax)
    UncertaintyVisualizationHook(draw=True).after_test_iter(runner, 0, {}, [sample])
    (picture,) = pictures(tmp_path).values()
    assert (picture[:, 3 * COLUMN :] == colormap_rgb(0.5)).all()


def test_validation_draws_the_first_image_at_the_interval(runner, make_sample, tmp_path):
    hook = UncertaintyVisualizationHook(draw=True, interval=2)
    for index in range(4):
        hook.after_val_iter(runner, index, {}, [make_sample('val'), make_sample('test_id')])
    assert sorted(pictures(tmp_path)) == [
        'val_val_000000_leftImg8bit_100.png',
        'val_val_000000_leftImg8bit_102.png',
    ]


@pytest.mark.parametrize(('draw', 'main'), [(False, True), (True, False)])
def test_draws_nothing(draw, main, runner, make_sample, tmp_path, monkeypatch):
    monkeypatch.setattr(hook_module, 'is_main_process', lambda: main)
    hook = UncertaintyVisualizationHook(draw=draw)
    hook.after_test_iter(runner, 0, {}, [make_sample()])
    hook.after_val_iter(runner, 0, {}, [make_sample()])
    assert pictures(tmp_path) == {}


def test_show_stores_nothing(runner, make_sample, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(runner.visualizer, 'show', lambda *args, **kw: shown.append((args, kw)))
    hook = UncertaintyVisualizationHook(draw=True, show=True, wait_time=0.5)
    hook.after_test_iter(runner, 0, {}, [make_sample()])
    (((picture,), options),) = shown
    assert picture.shape == (6, 44, 3)
    assert options == {'win_name': 'test_test_ood_000000_leftImg8bit', 'wait_time': 0.5}
    assert pictures(tmp_path) == {}


def test_msp_scale(runner, make_sample, tmp_path):
    hook = UncertaintyVisualizationHook(draw=True, score='msp')
    sample = make_sample()
    sample.seg_logits.data[:] = torch.tensor([0.0, math.log(2.0), -1e9])[:, None, None]
    hook.after_test_iter(runner, 0, {}, [sample])
    (picture,) = pictures(tmp_path).values()
    # 1 - 2/3 on a scale that ends at 1 - 1/3; rounding may choose the neighbouring color
    np.testing.assert_allclose(picture[0, -1].astype(int), colormap_rgb(0.5), atol=3)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(interval=0), '`interval` must be an integer >= 1, got 0'),
        (dict(wait_time=-1.0), '`wait_time` must be >= 0, got -1.0'),
        (dict(score=''), "`score` must be a non-empty string, got ''"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        UncertaintyVisualizationHook(**arguments)


def test_dataset_without_palette(runner, make_sample):
    runner.visualizer.dataset_meta = {'classes': META['classes']}
    hook = UncertaintyVisualizationHook(draw=True)
    with pytest.raises(ValueError, match="drawing needs a `palette` in the dataset's `metainfo`"):
        hook.after_test_iter(runner, 0, {}, [make_sample()])
