"""docs/your_own_data.md: every block of it is run, on images that are made up."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from helpers.pages import code_blocks, tool_calls, write_files
from helpers.sharing import made_once
from helpers.tool_runner import ROOT, run_tool, succeeded
from mmseg_abnn.evaluation.metrics.segmentation import uncertainty_metric

PAGE = ROOT / 'docs/your_own_data.md'
SIZE = (40, 48)
DETECTION = {'AUPR', 'AUROC', 'FPR95'}
# what makes the networks of the page small, beside the settings of all tools
SMALLER = {
    'model.pretrained': 'None',
    'model.backbone.depth': 18,
    'model.decode_head.dilations': '[1,2]',
    'model.data_preprocessor.size': '(32,32)',
    'train_dataloader.dataset.pipeline.2.crop_size': '(32,32)',
    'test_evaluator.histogram_bits': 10,
}
OF_TRAINING = {
    'my_segmentor.py': {'train_cfg.max_iters': 2},
    'my_abnn.py': {
        'abnn.num_members': 1,
        'abnn.max_iters': 2,
        'train_cfg.max_iters': 2,
        'load_from': 'work_dirs/my_segmentor/iter_2.pth',
    },
}


def write_images(root, folder, labels):
    for index, label in enumerate(labels):
        for name, pixels in (('images', np.random.default_rng(index)), ('labels', label)):
            path = root / name / folder / f'{index}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            if name == 'images':
                pixels = pixels.integers(0, 255, (*SIZE, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(path)


def write_data(root):
    """Write the folders that the page speaks of."""
    rng = np.random.default_rng(7)

    def labels(*ids, number=2):
        return [rng.choice(ids, SIZE).astype(np.uint8) for _ in range(number)]

    write_images(root / 'data/streets', 'train', labels(0, 1, 2, 255, number=4))
    write_images(root / 'data/streets', 'val', labels(0, 1, 2, 255))
    strange = labels(0, 1, 2, 200, 255)
    write_images(root / 'data/streets', 'ood', strange)
    for index, label in enumerate(strange):
        shifted = label + 1  # 255 becomes 0
        shifted[label == 200] = 200
        path = root / f'data/streets/labels_from_1/ood/{index}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(shifted).save(path)
    write_images(root / 'data/anomalies', '.', labels(0, 1, 255))


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """A folder with the files of the page, after all of its commands."""

    def run(folder):
        blocks = code_blocks(PAGE)
        names = write_files(blocks, folder)
        write_data(folder)
        with pytest.MonkeyPatch.context() as patch:  # drawing takes longer than everything else
            patch.setattr(uncertainty_metric, 'write_plots', lambda *arguments: None)
            for tool, config, *arguments in tool_calls(blocks):
                assert config in names
                options = SMALLER | (OF_TRAINING[config] if tool == 'train.py' else {})
                succeeded(run_tool(tool, config, *arguments, options=options, cwd=folder))

    return made_once(tmp_path_factory, 'your_own_data', run)


def figures(page, config):
    return json.loads((page / f'work_dirs/{config}/metrics.json').read_text())


def table(page, config, name):
    with (page / f'work_dirs/{config}/report/{name}.csv').open() as file:
        return list(csv.DictReader(file))


def stored(page, folder):
    return np.stack(
        [np.asarray(Image.open(path)) for path in sorted((page / folder).glob('*.png'))]
    )


def test_every_block_is_run():
    blocks = code_blocks(PAGE)
    assert {block.language for block in blocks} == {'python', 'bash'}
    assert all(text.startswith('# ') for language, text in blocks if language == 'python')
    assert PAGE.read_text().count('```') == 2 * len(blocks)


@pytest.mark.parametrize('config', ['my_abnn', 'my_padding'])
def test_classes_of_one_folder_and_ood_pixels_of_another(page, config):
    found = figures(page, config)
    assert found.keys() > {'mIoU', 'ECE', *DETECTION, *(f'pooled/{name}' for name in DETECTION)}
    assert found['num_images'] == 4
    labels = stored(page, 'data/streets/labels/val')
    counted = [int(row['labelled_pixels']) for row in table(page, config, 'per_class')]
    assert counted == [(labels == k).sum() for k in range(3)]
    rows = table(page, config, 'per_image')
    assert [row['split'] for row in rows] == ['val', 'val', 'ood', 'ood']
    strange = stored(page, 'data/streets/labels/ood')
    assert [int(row['num_ood']) for row in rows[2:]] == [(label == 200).sum() for label in strange]
    assert [row['AUPR'] != '' for row in rows] == [False, False, True, True]


def test_reduced_labels(page):
    found = figures(page, 'my_reduced_labels')
    assert found.keys() > {'mIoU', *DETECTION}
    labels = stored(page, 'data/streets/labels/ood')
    counted = [int(row['labelled_pixels']) for row in table(page, 'my_reduced_labels', 'per_class')]
    assert counted == [(labels == k).sum() for k in range(3)]
    # the same pixels as under their own ids
    assert found['pooled/AUROC'] == figures(page, 'my_abnn')['pooled/AUROC']


def test_labels_that_tell_no_classes_apart(page):
    found = figures(page, 'my_anomalies')
    scores = {f'{prefix}{name}' for prefix in ('', 'msp/') for name in (*DETECTION, 'gap')}
    expected = {f'pooled/{name}' for name in scores} | {n for n in scores if 'gap' not in n}
    assert {name for name in found if not name.startswith('num_images')} == expected
    rows = table(page, 'my_anomalies', 'per_image')
    labels = stored(page, 'data/anomalies/labels')
    for row, label in zip(rows, labels, strict=True):
        counts = [int(row[f'num_{kind}']) for kind in ('id', 'ood', 'ignored')]
        assert counts == [(label == k).sum() for k in (0, 1, 255)]


def test_images_without_labels(page):
    found = figures(page, 'my_unlabelled_images')
    assert not found.keys() & {'mIoU', 'ECE', *DETECTION, 'pooled/AUPR'}
    predictions = sorted((page / 'work_dirs/maps').rglob('*_pred.png'))
    assert [path.name for path in predictions] == ['0_pred.png', '1_pred.png']
    for path in predictions:
        assert np.asarray(Image.open(path)).shape == SIZE
    assert len(list((page / 'work_dirs/maps').rglob('*_entropy.npy'))) == 2
