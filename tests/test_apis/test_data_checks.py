"""What a run checks of its data before it works, with real Runners."""

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from helpers.networks import TINY
from helpers.small_runs import base_checkpoint, small_config
from mmseg_abnn.apis import build_runner, build_test_runner

CLASSES = tuple('abcde')
LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    return base_checkpoint(tmp_path_factory.mktemp('base') / 'base.pth', **TINY)


def write(root, sizes=((32, 32), (32, 32)), bits=np.uint8, largest=5):
    rng = np.random.default_rng(0)
    for index, size in enumerate(sizes):
        for folder, shape in (('img', (*size, 3)), ('ann', size)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, largest if folder == 'ann' else 255, shape)
            kind = bits if folder == 'ann' else np.uint8
            Image.fromarray(pixels.astype(kind)).save(root / folder / f'{index}.png')
    return root


def dataset(root, classes=CLASSES, pipeline=LOAD, **changes):
    return dict(
        type='BaseSegDataset',
        data_root=str(root),
        data_prefix=dict(img_path='img', seg_map_path='ann'),
        img_suffix='.png',
        metainfo=dict(classes=classes),
        pipeline=pipeline,
        **changes,
    )


def loader(*sets, batch_size=2):
    one = sets[0] if len(sets) == 1 else dict(type='ConcatDataset', datasets=list(sets))
    sampler = dict(type='DefaultSampler', shuffle=False)
    return dict(batch_size=batch_size, num_workers=0, sampler=sampler, dataset=one)


def train(folder, base, data, network=None, **changes):
    init_default_scope('mmseg')
    cfg = small_config(folder, base, iterations=1, network=network or TINY, **changes)
    cfg.train_dataloader.dataset = data
    cfg.train_dataloader.batch_size = 2
    build_runner(cfg).train()


def test(folder, base, data, **changes):
    init_default_scope('mmseg')
    cfg = small_config(folder, base, network=TINY, **changes)
    for name in ('train_dataloader', 'train_cfg', 'optim_wrapper'):
        cfg.pop(name)
    evaluator = dict(type='UncertaintyMetric', histogram_bits=10)
    cfg.update(test_dataloader=data, test_cfg=dict(type='TestLoop'), test_evaluator=evaluator)
    return build_test_runner(cfg, base).test()


test.__test__ = False


@pytest.mark.parametrize('number', [4, 6])
def test_another_number_of_classes(tmp_path, base, number):
    data = dataset(write(tmp_path, largest=4), classes=tuple('abcdef'[:number]))
    with pytest.raises(
        ValueError, match=f'num_classes` is 5, but the data set of `train.* {number} cl'
    ):
        train(tmp_path / 'run', base, data)
    assert not list((tmp_path / 'run').rglob('*.pth'))


def test_another_number_of_classes_to_validate(tmp_path, base):
    changes = dict(
        val_dataloader=loader(dataset(tmp_path, classes=tuple('abcdef'))),
        val_cfg=dict(type='ValLoop'),
        val_evaluator=dict(type='UncertaintyMetric'),
    )
    write(tmp_path)
    with pytest.raises(
        ValueError, match='num_classes` is 5, but the data set of `val_dataloader` has 6'
    ):
        train(tmp_path / 'run', base, dataset(tmp_path), **changes)


def test_label_that_is_no_class(tmp_path, base):
    data = dataset(write(tmp_path, largest=7))
    with pytest.raises(
        ValueError, match=r'\d.png: the label holds the ids \[5, 6\], but `model.decode'
    ):
        train(tmp_path / 'run', base, data)


def test_labels_of_sixteen_bits(tmp_path, base):
    data = dataset(write(tmp_path, bits=np.uint16, largest=800))
    with pytest.raises(ValueError, match='a label must hold ids from 0 to 255'):
        train(tmp_path / 'run', base, data)
    with pytest.raises(ValueError, match='a label must hold ids from 0 to 255'):
        test(tmp_path / 'run', base, loader(data))


def test_labels_that_are_missing(tmp_path, base):
    data = dataset(write(tmp_path))
    (tmp_path / 'ann/1.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of 2 labels do not exist: .*ann/1.png'):
        test(tmp_path / 'run', base, loader(data))


def test_padding_in_a_pipeline(tmp_path, base):
    pipeline = [LOAD[0], dict(type='Pad', size=(48, 48)), *LOAD[1:]]
    data = dataset(write(tmp_path), pipeline=pipeline)
    with pytest.raises(ValueError, match=r'Pad \(step 1 .*test_cfg=dict\(size_divisor=32\)'):
        test(tmp_path / 'run', base, loader(data))


def test_parts_with_other_classes(tmp_path, base):
    write(tmp_path)
    parts = [dataset(tmp_path), dataset(tmp_path, classes=('in-distribution',))]
    data = loader(*parts)
    data['dataset']['ignore_keys'] = ['classes', 'palette']
    with pytest.raises(ValueError, match=r'same `classes`.* data_0: 5 classes; data_1: 1 classes'):
        test(tmp_path / 'run', base, data)


def test_a_batch_of_one_size(tmp_path, base):
    write(tmp_path, sizes=((32, 32), (32, 40)))
    data = dataset(tmp_path)
    found = test(tmp_path / 'run', base, loader(data, batch_size=1))
    assert found['num_images'] == 2
    with pytest.raises(ValueError, match=r'different sizes \(32x32, 32x40; height'):
        test(tmp_path / 'run', base, loader(data, batch_size=2))
