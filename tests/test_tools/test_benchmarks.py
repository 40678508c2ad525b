"""StreetHazards, BDD-Anomaly and MUAD from the download to the figures, as a user types it.

The downloads are MiniStreets in the benchmarks' formats; the configs are the real ones, shrunk.
"""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.in_process import run_script
from helpers.tool_runner import ROOT, run_tool, succeeded

pytestmark = pytest.mark.usefixtures('without_plots')

COUNTS = ['--train', 3, '--val', 1, '--test-id', 2, '--test-ood', 2]
# the configs' ResNet-50 with 8 channels in place of 64; images of 64x128 pixels
SMALL = {
    'model.pretrained': None,
    'model.data_preprocessor.size': '(64,64)',
    'model.decode_head.in_channels': 256,
    'model.decode_head.c1_in_channels': 32,
    'model.auxiliary_head.in_channels': 128,
    'train_dataloader.dataset.pipeline.2.scale': '(128,64)',
    'train_dataloader.dataset.pipeline.3.crop_size': '(64,64)',
}
# name, base, classes, labels of the test images with OOD pixels and their ids, number of images
BENCHMARKS = {
    'muad': (
        'deeplabv3plus_r50-d8_4xb3-30k_muad-768x768',
        19,
        'test_ood/leftLabel/*.png',
        (19, 20),
        {'test_id': 2, 'test_ood': 2},
    ),
    'street_hazards': (
        'deeplabv3plus_r50-d8_4xb2-80k_street_hazards-512x1024',
        13,
        'test/annotations/test/t6/*.png',
        (14,),
        {'test': 4},
    ),
    'bdd_anomaly': (
        'deeplabv3plus_r50-d8_4xb2-80k_bdd_anomaly-512x1024',
        17,
        'seg/train_labels/*/00000003-*_train_id.png',
        (18, 19),
        {'val': 3, 'test': 2},
    ),
}


def small(name):
    scales = [f'test_dataloader.dataset.datasets.{part}.pipeline.1.scale' for part in range(2)]
    scales.append('val_dataloader.dataset.pipeline.1.scale')
    return {**SMALL, **(dict.fromkeys(scales, '(128,64)') if name == 'muad' else {})}


@pytest.mark.parametrize('name', BENCHMARKS)
def test_from_the_download_to_the_figures(name, tmp_path):
    base, num_classes, ood_labels, ood_ids, splits = BENCHMARKS[name]
    converters = ROOT / 'tools/dataset_converters'
    arguments = ['download', '--format', name, '--size', 64, 128, *COUNTS, '--workers', 1]
    succeeded(run_script(converters / 'mini_streets.py', *arguments, cwd=tmp_path))
    arguments = ['download', '--partial']
    succeeded(run_script(converters / f'{name}.py', *arguments, cwd=tmp_path))

    config = ROOT / f'configs/deeplabv3plus/{base}.py'
    succeeded(run_tool('train.py', config, options=small(name), cwd=tmp_path))
    config = ROOT / f'configs/abnn/deeplabv3plus_{name}.py'
    load_from = f'work_dirs/{base}/iter_3.pth'
    options = {**small(name), 'load_from': load_from, 'num_members': 2}
    succeeded(run_tool('train.py', config, options=options, cwd=tmp_path))
    work_dir = Path(f'work_dirs/deeplabv3plus_{name}')
    arguments = (config, work_dir / 'abnn.pth', '--out', 'maps')
    succeeded(run_tool('test.py', *arguments, options=small(name), cwd=tmp_path))

    metrics = json.loads((tmp_path / work_dir / 'metrics.json').read_text())
    for figure in ('mIoU', 'ECE', 'AUPR', 'AUROC', 'FPR95', 'pooled/AUPR'):
        assert math.isfinite(metrics[figure]), figure
    report = tmp_path / work_dir / 'report'
    with (report / 'per_class.csv').open() as file:
        assert len(list(csv.DictReader(file))) == num_classes
    with (report / 'per_image.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert {split: len([r for r in rows if r['split'] == split]) for split in splits} == splits
    # which images hold OOD pixels, and how many, straight from the files that were prepared
    labels = sorted((tmp_path / 'data' / name).glob(ood_labels))
    counts = [int(np.isin(np.asarray(Image.open(label)), ood_ids).sum()) for label in labels]
    measured = sorted(int(row['num_ood']) for row in rows if float(row['num_ood'] or 0))
    assert measured == sorted(counts)
    assert len(counts) == 2
    assert all(counts)
    assert len(list((tmp_path / 'maps').rglob('*_pred.png'))) == sum(splits.values())
