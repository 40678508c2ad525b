"""Every config of the repository: it is read, written down, built, and inherited from elsewhere."""

import re
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from mmseg.registry import DATASETS, MODELS

from helpers.sharing import made_once
from helpers.tool_runner import ROOT
from mini_streets import Settings, open_folder, write_images
from mmseg_abnn import convert_to_abnn
from mmseg_abnn.apis import enable_tta, expand_abnn_section
from preparation import BDD_ANOMALY, MUAD, STREET_HAZARDS, prepare

DATASETS_PAGE = (ROOT / 'docs/datasets.md').read_text(encoding='utf-8')
CONFIGS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / 'configs').rglob('*.py')
    # `compare` and `ablation` hold lists of methods and variants; for `classification` see
    # test_classification_configs.py
    if not {'_base_', 'ablation', 'classification', 'compare'}.intersection(path.parts)
)
BENCHMARKS = {benchmark.name: benchmark for benchmark in (BDD_ANOMALY, MUAD, STREET_HAZARDS)}
NUM_GPUS = 4
NUM_CLASSES = {'mini_streets': 9, 'muad': 19, 'street_hazards': 13, 'bdd_anomaly': 17}


BASES = [config for config in CONFIGS if config.startswith('configs/deeplabv3plus/')]


def data_name(config):
    return next(name for name in NUM_CLASSES if name in config)


def complete(path):
    cfg = Config.fromfile(path)
    expand_abnn_section(cfg)
    return cfg


@cache
def _read(config):
    return complete(ROOT / config)


def read(config):
    """Return a config of the repository, which several tests look at."""
    return deepcopy(_read(config))


def build(cfg):
    """Build a network of full size for its names and shapes, without room for its weights."""
    with torch.device('meta'):
        return MODELS.build({**cfg.model, 'pretrained': None})  # no download


def write_stand_ins(root):
    """Write the folder `data` with a prepared stand-in of each dataset."""
    for name in NUM_CLASSES:
        own = name == 'mini_streets'
        download = root / ('data' if own else 'download') / name
        counts = {'train': 1, 'val': 1, 'test_id': 1, 'test_ood': 2}
        settings = Settings(seed=1, size=(64, 128), counts=counts, format=name)
        for _ in write_images(download, settings, open_folder(download, settings), workers=1):
            pass
        if not own:
            prepare(BENCHMARKS[name], [download], root / 'data' / name, partial=True)


@pytest.fixture
def _beside_data(tmp_path_factory, monkeypatch):
    monkeypatch.chdir(made_once(tmp_path_factory, 'benchmark_stand_ins', write_stand_ins))


def test_all_are_listed():
    assert len(CONFIGS) == 23
    models = [
        model
        for path in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
        for model in yaml.safe_load((ROOT / path).read_text())['Models']
    ]
    listed = {model['Config']: model for model in models}
    # the published figures are of the benchmarks
    folders = ('configs/deeplabv3plus/', 'configs/abnn/')
    assert set(listed) == {
        c for c in CONFIGS if c.startswith(folders) and 'mini_streets' not in c and 'paper' not in c
    }
    for config, model in listed.items():
        cfg = read(config)
        assert model['Name'] == Path(config).stem
        assert model['Metadata']['Iterations'] == cfg.train_cfg.max_iters
        assert model['Metadata']['Batch Size'] == NUM_GPUS * cfg.train_dataloader.batch_size
        crop = tuple(map(int, model['Metadata']['Crop Size'].split('x')))
        assert crop == cfg.crop_size == cfg.model.data_preprocessor.size
        assert model['Results']['Source'] == 'published'


@pytest.mark.parametrize('config', CONFIGS)
def test_reading_and_writing(config, tmp_path):
    cfg = read(config)
    cfg.dump(str(tmp_path / 'dumped.py'))
    again = complete(tmp_path / 'dumped.py')
    assert again.to_dict() == cfg.to_dict()


@pytest.mark.parametrize('config', CONFIGS)
def test_model(config):
    cfg = read(config)
    model = build(cfg)
    assert model.num_classes == NUM_CLASSES[data_name(config)]
    assert model.auxiliary_head.num_classes == model.num_classes
    sampling = not config.startswith('configs/deeplabv3plus')
    assert type(model).__name__ == ('MCEncoderDecoder' if sampling else 'EncoderDecoder')
    if config.startswith('configs/abnn'):
        assert type(model.decode_head.loss_decode).__name__ == 'ABNNLoss'
        alpha = cfg.custom_hooks[-1].alpha
        chosen = {'mini_streets': 0.3}  # by measurement; the others have the default
        assert alpha == (1.0 if 'paper' in config else chosen.get(data_name(config), 0.1))
        report = convert_to_abnn(model, alpha=alpha)
        assert report.num_trainable < 0.01 * report.num_parameters
        assert len(report.converted) > 20


@pytest.mark.parametrize('config', CONFIGS)
def test_every_method_sees_the_same_data(config):
    cfg = read(config)
    base = next(b for b in BASES if data_name(b) == data_name(config))
    expected = read(base)
    for loop in ('train', 'val', 'test'):
        assert cfg[f'{loop}_dataloader'] == expected[f'{loop}_dataloader']
        assert cfg.get(f'{loop}_evaluator') == expected.get(f'{loop}_evaluator')


@pytest.mark.parametrize('config', BASES)
@pytest.mark.usefixtures('_beside_data')
def test_datasets(config):
    cfg = read(config)
    name = data_name(config)
    train = DATASETS.build(cfg.train_dataloader.dataset)
    sample = train[0]
    # smaller where a random scale makes the image smaller: the preprocessor pads it
    shape = sample['inputs'].shape[1:]
    assert all(0 < n <= most for n, most in zip(shape, cfg.crop_size, strict=True))
    assert 254 not in sample['data_samples'].gt_sem_seg.data
    assert len(train.metainfo['classes']) == NUM_CLASSES[name]
    val = DATASETS.build(cfg.val_dataloader.dataset)
    test = DATASETS.build(cfg.test_dataloader.dataset)
    ids = set()
    for dataset in (val, test):
        for item in dataset:
            label = item['data_samples'].gt_sem_seg.data
            assert tuple(label.shape) == (1, 64, 128)  # as stored, whatever the network sees
            seen = (512, 1024) if name == 'muad' else (64, 128)
            assert tuple(item['inputs'].shape[1:]) == seen
            ids |= set(label.unique().tolist())
            assert item['data_samples'].split in dataset_splits(cfg)
    assert 254 in ids
    assert ids - {254, 255} <= set(range(NUM_CLASSES[name]))
    assert len(ids - {254, 255}) > 4


@pytest.mark.parametrize('config', BASES)
@pytest.mark.usefixtures('_beside_data')
def test_training_ignores_ood_pixels(config):
    """Had the training images some, as those of other protocols do."""
    cfg = read(config)
    test = cfg.test_dataloader.dataset
    with_ood = test.datasets[1] if 'datasets' in test else test
    kept = DATASETS.build(with_ood)
    assert any(254 in item['data_samples'].gt_sem_seg.data for item in kept)
    pipeline = [
        transform
        for transform in cfg.train_dataloader.dataset.pipeline
        if transform.type not in ('RandomResize', 'RandomCrop')
    ]
    for item in DATASETS.build({**with_ood, 'pipeline': pipeline}):
        assert 254 not in item['data_samples'].gt_sem_seg.data


@pytest.mark.usefixtures('_beside_data')
def test_augmented_tests_see_images_of_the_same_size():
    cfg = read('configs/abnn/deeplabv3plus_muad.py')
    enable_tta(cfg)
    views = DATASETS.build(cfg.test_dataloader.dataset)[0]
    assert [tuple(image.shape) for image in views['inputs']] == [(3, 512, 1024)] * 2
    assert views['data_samples'][0].gt_sem_seg.shape == (64, 128)


@pytest.mark.usefixtures('_beside_data')
def test_another_protocol_as_the_documentation_shows_it(tmp_path):
    (code,) = re.findall(r'```python\n(# my_muad.*?)```', DATASETS_PAGE, flags=re.DOTALL)
    config = tmp_path / 'my_muad_challenge.py'
    config.write_text(code.replace("'configs/", f"'{ROOT}/configs/"))
    cfg = complete(config)
    assert build(cfg).num_classes == 16
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        dataset = DATASETS.build(loader.dataset)
        assert len(dataset.metainfo['classes']) == 16
        for part in getattr(dataset, 'datasets', [dataset]):
            assert part.get_data_info(0)['label_map'][16] == 254


def dataset_splits(cfg):
    test = cfg.test_dataloader.dataset
    parts = test.get('datasets', [test])
    return {part.split for part in (*parts, cfg.val_dataloader.dataset)}


@pytest.mark.parametrize('config', [c for c in CONFIGS if 'paper' in c])
def test_paper_variant(config):
    """Alpha = 1, every layer, a random weight for every class; else as in the other config."""
    paper, ours = read(config), read(config.replace('_paper', ''))
    for cfg in (paper, ours):
        cfg.custom_hooks[-1].pop('alpha')
        include = cfg.custom_hooks[-1].pop('include')
        assert list(include) == (['*'] if cfg is paper else ['backbone.*'])
        for head in (cfg.model.decode_head, cfg.model.auxiliary_head):
            eta = head.loss_decode.pop('eta')
            assert eta['type'] == ('normal' if cfg is paper else 'sparse')
    assert paper.to_dict() == ours.to_dict()


def test_a_child_outside_the_repository(tmp_path):
    source = ROOT / 'configs/abnn/deeplabv3plus_muad.py'
    child = tmp_path / 'mine.py'
    child.write_text(f"_base_ = {str(source)!r}\nload_from = 'mine.pth'\nabnn = dict(alpha=0.2)\n")
    cfg, parent = complete(child), complete(source)
    assert cfg.load_from == 'mine.pth'
    assert cfg.custom_hooks[-1].alpha == 0.2
    assert cfg.train_dataloader == parent.train_dataloader
    assert cfg.train_cfg.max_iters == 1500
