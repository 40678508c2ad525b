import math
from pathlib import Path
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
    return SimpleNamespace(visualizer=visualizer, iter=100, test_loop=None)


@pytest.fixture
def make_sample(tmp_path):
    def make(split='test_ood', name='000000_leftImg8bit', labels=True):
        path = tmp_path / 'data' / str(split) / f'{name}.png'
        path.parent.mkdir(exist_ok=True, parents=True)
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


def start(hook, runner, samples, data_root, mode='test'):
    """Begin a test, or a validation, of a data set with these samples."""
    infos = [dict(img_path=sample.img_path) for sample in samples]
    dataset = Infos(infos, data_root)
    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))
    setattr(runner, f'{mode}_loop', loop)
    getattr(hook, f'before_{mode}')(runner)


class Infos(list):
    """What the hook uses of a data set."""

    metainfo = META

    def __init__(self, infos, data_root):
        super().__init__(infos)
        self.get_data_info, self.data_root = self.__getitem__, str(data_root)


def pictures(tmp_path):
    folder = tmp_path / 'shown' / 'vis_data' / 'vis_image'
    return {path.name: np.asarray(Image.open(path)) for path in folder.glob('*')}


def colormap_rgb(value):
    return matplotlib.colormaps['inferno'](value, bytes=True)[:3]


def test_pixels_of_the_picture(runner, make_sample, tmp_path):
    sample = make_sample()
    hook = HOOKS.build(dict(type='UncertaintyVisualizationHook', draw=True))
    start(hook, runner, [sample], tmp_path / 'data')
    hook.after_test_iter(runner, 0, {}, [sample])
    ((name, picture),) = pictures(tmp_path).items()
    assert name == 'test_test_ood_000000_leftImg8bit_1.png'
    assert picture.shape[0] == 6
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


@pytest.mark.parametrize('main', [True, False])
def test_every_process_writes_each_image_to_a_file_of_its_own(
    main, runner, make_sample, tmp_path, monkeypatch
):
    monkeypatch.setattr(hook_module, 'is_main_process', lambda: main)
    if not main:
        runner.visualizer.dataset_meta = None  # as MMEngine has it there
    out = tmp_path / 'out'
    hook = UncertaintyVisualizationHook(draw=True, out_dir=str(out))
    samples = [make_sample(name, 'cam/0000') for name in ('seq0', 'seq1', 'seq2')]
    start(hook, runner, samples, tmp_path / 'data')
    hook.after_test_iter(runner, 0, {}, samples[:2])
    hook.after_test_iter(runner, 1, {}, samples[2:])
    drawn = {path.relative_to(out).as_posix(): path for path in out.rglob('*.*')}
    assert sorted(drawn) == [f'seq{i}/cam/0000.png' for i in range(3)]
    for name, sample in zip(sorted(drawn), samples, strict=True):
        picture = np.asarray(Image.open(drawn[name]))
        np.testing.assert_array_equal(picture[:, :8], np.asarray(Image.open(sample.img_path)))
    assert pictures(tmp_path) == {}


def unlike_a_picture(path):
    """A float TIFF with a uint8 value somewhere, one of five bands, and what is no image at all."""
    return {
        'float': lambda: Image.fromarray(np.full(SIZE, 0.5, np.float32)).save(path, format='TIFF'),
        'int': lambda: Image.fromarray(np.full(SIZE, 7, np.int32)).save(path, format='TIFF'),
        'text': lambda: path.write_text('five bands'),
        'size': lambda: Image.fromarray(np.zeros((3, 3), np.uint8)).save(path, format='PNG'),
        'missing': path.unlink,
    }


@pytest.mark.parametrize('kind', ['float', 'int', 'text', 'size', 'missing'])
def test_what_is_no_picture_is_left_out_and_named(kind, runner, make_sample, tmp_path, log):
    hook = UncertaintyVisualizationHook(draw=True)
    samples = [make_sample(name=f'{i}') for i in range(5)]
    for sample in samples:
        unlike_a_picture(Path(sample.img_path))[kind]()
    start(hook, runner, samples, tmp_path / 'data')
    hook.after_test_iter(runner, 0, {}, samples)
    hook.after_test(runner)
    drawn = pictures(tmp_path)
    assert len(drawn) == 5
    for picture in drawn.values():
        assert (picture[3, :8] == 0).all()  # the labels stand first, the ignored ones in row 3
        assert (picture[:, COLUMN : COLUMN + 8] == PALETTE[1]).all()
    named = [text for text in log if 'is left out of its picture' in text]
    assert [sample.img_path in text for sample, text in zip(samples, named, strict=False)] == [
        1
    ] * 3
    assert '5 images in all were left out of their pictures' in log


def test_a_picture_that_cannot_be_written_ends_no_test(runner, make_sample, tmp_path, log):
    hook = UncertaintyVisualizationHook(draw=True, out_dir=str(tmp_path / 'out'))
    samples = [make_sample(), make_sample('val')]
    start(hook, runner, samples, tmp_path / 'data')
    (tmp_path / 'out/test_ood').write_text('a file where a folder should be')
    hook.after_test_iter(runner, 0, {}, samples)
    assert [path.name for path in (tmp_path / 'out').rglob('*.png')] == ['000000_leftImg8bit.png']
    assert sum('000000_leftImg8bit.png could not be written' in text for text in log) == 1


@pytest.mark.parametrize('where', ['metainfo', 'metric'])
def test_ood_ids_of_data_set_and_metric(where, runner, make_sample, tmp_path):
    """Labels 200 are OOD by either; a label that is nothing is white."""
    sample = make_sample()
    sample.gt_sem_seg.data[0, 0, 0], sample.gt_sem_seg.data[0, 0, 1] = 200, 99
    hook = UncertaintyVisualizationHook(draw=True)
    start(hook, runner, [sample], tmp_path / 'data')
    if where == 'metainfo':
        hook._meta = dict(META, ood_id=[254, 200])
    else:
        metric = SimpleNamespace(ood_ids=(200,))
        runner.test_loop.evaluator = SimpleNamespace(metrics=[metric])
    hook.after_test_iter(runner, 0, {}, [sample])
    (picture,) = pictures(tmp_path).values()
    found = picture[:, COLUMN : COLUMN + 8]
    np.testing.assert_array_equal(found[0, :3], [(0, 255, 255), (255, 255, 255), PALETTE[1]])
    np.testing.assert_array_equal(found[2, :4], [(0, 255, 255)] * 4)


def test_other_score_without_labels_and_split(runner, make_sample, tmp_path):
    hook = UncertaintyVisualizationHook(draw=True, score='own_score')
    sample = make_sample(split='', labels=False)
    sample.uncertainty = PixelData(own_score=torch.linspace(0, 0.2, 48).reshape(1, *SIZE))
    start(hook, runner, [sample], tmp_path / 'data')
    hook.after_test_iter(runner, 0, {}, [sample])
    ((name, picture),) = pictures(tmp_path).items()
    assert name == 'test_000000_leftImg8bit_1.png'
    assert (picture[:, COLUMN : COLUMN + 8] == PALETTE[1]).all()  # the prediction, not the labels
    # The scale of this score ends at the largest value of the image.
    np.testing.assert_array_equal(picture[-1, 3 * COLUMN - 5], colormap_rgb(1.0))


def test_a_map_of_the_model_is_drawn_without_a_softmax(runner, make_sample, tmp_path, monkeypatch):
    sample = make_sample()
    values = torch.full((1, *SIZE), math.log(3) / 2)
    sample.uncertainty = PixelData(entropy=values)

    def softmax(*_):
        raise AssertionError('a softmax is computed')

    monkeypatch.setattr(torch, 'softmax', softmax)
    UncertaintyVisualizationHook(draw=True).after_test_iter(runner, 0, {}, [sample])
    (picture,) = pictures(tmp_path).values()
    assert (picture[:, 3 * COLUMN : 3 * COLUMN + 8] == colormap_rgb(0.5)).all()


def test_validation_draws_the_first_image_at_the_interval(runner, make_sample, tmp_path):
    hook = UncertaintyVisualizationHook(draw=True, interval=2)
    start(hook, runner, [make_sample('val'), make_sample('test_id')], tmp_path / 'data', 'val')
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
    start(hook, runner, [make_sample()], tmp_path / 'data')
    hook.after_test_iter(runner, 0, {}, [make_sample()])
    (((picture,), options),) = shown
    np.testing.assert_array_equal(picture[2, COLUMN : COLUMN + 4], [(0, 255, 255)] * 4)
    assert options == {'win_name': 'test_test_ood_000000_leftImg8bit', 'wait_time': 0.5}
    assert pictures(tmp_path) == {}


def test_msp_scale(runner, make_sample, tmp_path):
    hook = UncertaintyVisualizationHook(draw=True, score='msp')
    sample = make_sample()
    sample.seg_logits.data[:] = torch.tensor([0.0, math.log(2.0), -1e9])[:, None, None]
    hook.after_test_iter(runner, 0, {}, [sample])
    (picture,) = pictures(tmp_path).values()
    # 1 - 2/3 on a scale that ends at 1 - 1/3; rounding may choose the neighbouring color
    found = picture[0, 3 * COLUMN + 7].astype(int)
    np.testing.assert_allclose(found, colormap_rgb(0.5), atol=3)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(interval=0), '`interval` must be an integer >= 1, got 0'),
        (dict(wait_time=-1.0), '`wait_time` must be >= 0, got -1.0'),
        (dict(out_dir=''), "`out_dir` must be None or a non-empty string, got ''"),
        (dict(score=''), "`score` must be a non-empty string, got ''"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        UncertaintyVisualizationHook(**arguments)


def test_dataset_without_palette(runner, make_sample, tmp_path):
    """Classes get colors that differ."""
    runner.visualizer.dataset_meta = {'classes': META['classes']}
    hook = UncertaintyVisualizationHook(draw=True)
    sample = make_sample()
    sample.pred_sem_seg.data[0] = torch.arange(3).repeat_interleave(2)[:, None]
    sample.gt_sem_seg.data[0] = 1
    hook.after_test_iter(runner, 0, {}, [sample])
    (picture,) = pictures(tmp_path).values()
    prediction = picture[:, 2 * COLUMN : 2 * COLUMN + 8]
    assert len(np.unique(prediction.reshape(-1, 3), axis=0)) == 3
    np.testing.assert_array_equal(picture[2, COLUMN], prediction[2, 0])
