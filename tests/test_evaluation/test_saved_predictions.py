"""Predictions are found and read as they were saved, and never those of another image."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_abnn.evaluation.saved_predictions import PredictionWriter, find_predictions, read_saved

SHAPE = (3, 5)
SCORES = ('msp', 'a_b')
# two cameras that number their images alike, and images of other depths
IMAGES = ['d/seq0/cam/0000.png', 'd/seq1/cam/0000.png', 'd/seq1/0000.png', 'd/0000.png']
NAMES = {path: path.removeprefix('d/').removesuffix('.png') for path in IMAGES}


def prediction(index):
    rng = np.random.default_rng(index)
    maps = {name: rng.random(SHAPE, dtype=np.float32) for name in SCORES}
    return rng.integers(0, 20, SHAPE), maps


@pytest.mark.parametrize('format', ['npy', 'png', 'pth'])
@pytest.mark.parametrize('names', [NAMES, None])
def test_there_and_back(format, names, tmp_path):
    writer = PredictionWriter(tmp_path, format, names)
    for index, path in enumerate(IMAGES):
        writer.write(path, *prediction(index), {'msp': (0, 1)})
    scores = SCORES[:1] if format == 'pth' else SCORES
    found = find_predictions(tmp_path, [(path, 'test') for path in IMAGES], NAMES, scores)
    assert len(set(found)) == len(IMAGES)
    for index, file in enumerate(found):
        classes, maps = prediction(index)
        sample = read_saved(file, scores)
        np.testing.assert_array_equal(sample['pred_sem_seg']['data'], classes)
        assert tuple(sample['uncertainty']) == scores
        for name in scores:
            exact = format == 'npy'
            close = dict(rtol=0, atol=0 if exact else 1e-5)
            np.testing.assert_allclose(sample['uncertainty'][name], maps[name], **close)


def test_files(tmp_path):
    PredictionWriter(tmp_path, names=NAMES).write(IMAGES[0], *prediction(0))
    PredictionWriter(tmp_path, 'pth', NAMES).write(IMAGES[1], *prediction(1))
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob('*.*')}
    maps = {'seq0/cam/0000_msp.npy', 'seq0/cam/0000_a_b.npy'}
    assert files == {'seq0/cam/0000_pred.png', 'seq1/cam/0000.pth', *maps}


@pytest.mark.parametrize(
    ('largest', 'dtype'), [(255, np.uint8), (256, np.uint16), (2**16 - 1,) * 2]
)
def test_class_ids_of_more_than_a_byte(largest, dtype, tmp_path):
    classes = np.array([[0, 1, largest]])
    PredictionWriter(tmp_path).write('a/b.png', classes, {})
    if largest < 2**16 - 1:
        assert np.asarray(Image.open(tmp_path / 'a/b_pred.png')).dtype == dtype
    np.testing.assert_array_equal(read_saved(tmp_path / 'a/b', ())['pred_sem_seg']['data'], classes)


def test_two_images_never_share_a_file(tmp_path):
    writer = PredictionWriter(tmp_path, names={'x/1.png': '1', 'y/1.png': '1', 'x/1_a.png': '1_a'})
    writer.write('x/1.png', *prediction(0))
    writer.write('x/1.png', *prediction(0))  # the same image once more
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    message = r'x/1.png and y/1.png would both be saved as .*1_pred.png: rename one'
    with pytest.raises(ValueError, match=message):
        writer.write('y/1.png', *prediction(1))
    # the score 'b' of the image '1_a' and the score 'a_b' of the image '1'
    with pytest.raises(ValueError, match=r'x/1.png and x/1_a.png would both be .*1_a_b.npy'):
        writer.write('x/1_a.png', None, {'b': np.zeros(SHAPE)})
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ('format', 'classes', 'maps', 'message'),
    [
        ('npy', np.array([[65536]]), {}, r'must be in 0..65535 to be saved, got 65536 to 65536'),
        ('npy', np.array([[-1, 2]]), {}, 'got -1 to 2'),
        (
            'pth',
            np.zeros(SHAPE, int),
            {'entropy': np.zeros(SHAPE)},
            r"'msp', got .*\('entropy',\)$",
        ),
        ('pth', None, {'msp': np.zeros(SHAPE)}, r"got the scores \('msp',\) alone"),
    ],
)
def test_what_cannot_be_saved(format, classes, maps, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        PredictionWriter(tmp_path, format).write('a/b.png', classes, maps)
    assert not list(tmp_path.rglob('*.*'))


def test_formats():
    with pytest.raises(ValueError, match=r"`format` must be one of .*, got 'tif'"):
        PredictionWriter('nowhere', 'tif')


def save(folder, name):
    file = folder / f'{name}_msp.npy'
    file.parent.mkdir(parents=True, exist_ok=True)
    np.save(file, np.zeros(SHAPE))


TWO = [('d/val/cam/1.png', 'id'), ('d/test/cam/1.png', 'ood')]
OF_TWO = {'d/val/cam/1.png': 'val/cam/1', 'd/test/cam/1.png': 'test/cam/1'}


@pytest.mark.parametrize(
    'stored',
    [('val/cam/1', 'test/cam/1'), ('d/val/cam/1', 'd/test/cam/1'), ('id/cam/1', 'ood/cam/1'),
     ('id/1', 'ood/1')],
)  # fmt: skip
def test_forms_of_names(stored, tmp_path):
    for name in stored:
        save(tmp_path, name)
    found = find_predictions(tmp_path, TWO, OF_TWO, ['msp'])
    assert [path.relative_to(tmp_path) for path in found] == [Path(name) for name in stored]


@pytest.mark.parametrize('name', ['cam/1', '1'])
def test_files_that_may_belong_to_two_images(name, tmp_path):
    save(tmp_path, name)
    with pytest.raises(ValueError, match=r'cannot be told apart: d/val/cam/1.png and d/test/cam/1'):
        find_predictions(tmp_path, TWO, OF_TWO, ['msp'])
    found = find_predictions(tmp_path, TWO[:1], OF_TWO, ['msp'])
    assert found == [tmp_path / name]


def test_one_form_holds_for_all_images(tmp_path):
    """A file of another form is not taken for the one that is missing."""
    images = [('d/val/1.png', None), ('d/test/2.png', None)]
    names = {'d/val/1.png': 'val/1', 'd/test/2.png': 'test/2'}
    save(tmp_path, 'val/1')
    save(tmp_path, '2')
    message = r'holds no prediction of 1 of 2 images: d/test/2.png. .*test/2_msp.npy is looked for'
    with pytest.raises(FileNotFoundError, match=message):
        find_predictions(tmp_path, images, names, ['msp'])


def test_a_challenge_file_holds_one_score(tmp_path):
    content = {'conf': torch.tensor([[0.25]]), 'pred': torch.tensor([[3]])}
    torch.save(content, tmp_path / '1.pth')
    sample = read_saved(tmp_path / '1', ['msp'])
    assert sample['uncertainty']['msp'].tolist() == [[0.75]]
    assert sample['pred_sem_seg']['data'].tolist() == [[3]]
    with pytest.raises(ValueError, match=r"a .pth file holds the score 'msp' only, got \('a',\)"):
        read_saved(tmp_path / '1', ['a'])


def test_class_ids_of_the_challenge_that_are_no_integers(tmp_path):
    content = {'conf': torch.rand(3, 5), 'pred': torch.full((3, 5), 1.7)}
    torch.save(content, tmp_path / '000001.pth')
    with pytest.raises(
        ValueError, match=r'000001.pth: `pred` must hold integers, got torch.float32'
    ):
        read_saved(tmp_path / '000001', ('msp',))
