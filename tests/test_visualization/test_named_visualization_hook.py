"""Pictures of classified images do not collide."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip('mmpretrain', reason='classification needs MMPretrain')

from mmengine.registry import init_default_scope
from mmengine.runner import EpochBasedTrainLoop
from mmpretrain.registry import DATASETS, HOOKS
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer

import mmseg_abnn.classification  # noqa: F401  registers the hook

pytestmark = pytest.mark.mmpretrain


@pytest.fixture(autouse=True)
def _mmpretrain_scope(_mmseg_scope):
    init_default_scope('mmpretrain')


@pytest.fixture
def dataset(tmp_path):
    """Four images of two classes, two of each name."""
    for name in ('cat/0.png', 'cat/1.png', 'dog/0.png', 'dog/1.png'):
        path = tmp_path / 'data' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (32, 32)).save(path)
    cfg = dict(type='CustomDataset', data_root=str(tmp_path / 'data'), data_prefix='', pipeline=[])
    return DATASETS.build(cfg)


def draw(dataset, samples, batches, tmp_path, mode='test', **settings):
    """Draw in batches of these sizes; images have the gray of their number times 20."""
    name = f'{tmp_path.name}_{mode}'
    UniversalVisualizer.get_instance(name)
    hook = HOOKS.build(dict(type='NamedVisualizationHook', enable=True, **settings))
    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))
    train_loop = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)
    runner = SimpleNamespace(test_loop=loop, val_loop=loop, epoch=3, train_loop=train_loop)
    getattr(hook, f'before_{mode}')(runner)
    start = 0
    for index, size in enumerate(batches):
        numbers = range(start, start + size)
        inputs = torch.stack([torch.full((3, 32, 32), 20.0 * i) for i in numbers])
        batch = samples[start : start + size]
        getattr(hook, f'after_{mode}_iter')(runner, index, dict(inputs=inputs), batch)
        start += size


def sample(**meta):
    return DataSample(metainfo=meta).set_pred_score(torch.tensor([0.25, 0.75]))


def grays(folder):
    """The gray of the right lower corner, where no text stands, by name of the picture."""
    return {
        path.relative_to(folder).as_posix(): int(np.asarray(Image.open(path))[-1, -1, 0])
        for path in folder.rglob('*.png')
    }


def test_images_of_one_name(dataset, tmp_path):
    samples = [sample(img_path=info['img_path']) for info in map(dataset.get_data_info, range(4))]
    draw(dataset, samples, [3, 1], tmp_path, interval=1, out_dir=str(tmp_path / 'out'))
    expected = {'cat/0.png': 0, 'cat/1.png': 20, 'dog/0.png': 40, 'dog/1.png': 60}
    assert grays(tmp_path / 'out') == pytest.approx(expected, abs=2)
    draw(dataset, samples, [4], tmp_path, 'val', interval=3, out_dir=str(tmp_path / 'val'))
    assert grays(tmp_path / 'val') == pytest.approx({'cat/0_3.png': 0, 'dog/1_3.png': 60}, abs=2)


def test_images_without_a_path(tmp_path):
    """A last batch that is smaller does not overwrite what was drawn before."""
    samples = [sample() for _ in range(5)]
    draw([0] * 5, samples, [2, 2, 1], tmp_path, interval=1, out_dir=str(tmp_path / 'out'))
    expected = {f'{i:06d}.png': 20 * i for i in range(5)}
    assert grays(tmp_path / 'out') == pytest.approx(expected, abs=2)
