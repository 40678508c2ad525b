"""Score maps in files give back what was written, within the stated quantum."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_abnn.evaluation.score_maps import read_score_map, write_score_map

SHAPE = (7, 9)


def maps():
    """Scores of several ranges, a constant one and one of a single value among equal ones."""
    rng = np.random.default_rng(0)
    values = rng.random(SHAPE, dtype=np.float32)
    spike = np.full(SHAPE, -3, np.float32)
    spike[2, 3] = 1e4
    return {
        'probability': values,
        'energy': 40 * values - 30,
        'tiny': 1e-6 * values,
        'constant': np.full(SHAPE, -2.5, np.float32),
        'spike': spike,
    }


@pytest.mark.parametrize('name', maps())
@pytest.mark.parametrize('limits', [None, (0.0, 2.0)])
def test_png(name, limits, tmp_path):
    values = maps()[name]
    file = write_score_map(tmp_path / 'a.b', values, 'png', limits)
    assert file == tmp_path / 'a.b.png'
    with Image.open(file) as picture:
        stored, text = np.asarray(picture), picture.text['score_range']
        assert picture.mode.startswith('I')
    low, high = json.loads(text)
    ends = [values.min(), values.max(), *(limits or ())]
    assert (low, high) == (min(ends), max(ends))
    # read by hand, as anybody can who knows the text
    by_hand = low + (high - low) * stored.astype(float) / 65535
    half = (high - low) / 131070 + 1e-6 * abs(values).max()
    np.testing.assert_allclose(by_hand, values, rtol=0, atol=half)
    found = read_score_map(file)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, values, rtol=0, atol=half)


def test_pictures_of_the_same_limits_can_be_compared(tmp_path):
    stored = []
    for index, value in enumerate((0.5, 0.25)):
        values = np.full(SHAPE, value)
        values[0, 0] = 0.25
        file = write_score_map(tmp_path / f'{index}.png', values, limits=(0, 1))
        stored.append(np.asarray(Image.open(file))[0, 0])
    assert stored[0] == stored[1] == round(0.25 * 65535)


@pytest.mark.parametrize('name', maps())
def test_npy_is_exact(name, tmp_path):
    values = maps()[name]
    file = write_score_map(tmp_path / 'new' / 'map.npy', values)
    np.testing.assert_array_equal(np.load(file), values)
    np.testing.assert_array_equal(read_score_map(file), values)


@pytest.mark.parametrize(('largest', 'dtype'), [(18, torch.uint8), (400, torch.int64)])
def test_challenge(largest, dtype, tmp_path):
    """What the script of the challenge reads: conf as a number, pred as an index."""
    values = maps()['probability']
    classes = np.random.default_rng(1).integers(0, largest + 1, SHAPE)
    classes[0, 0] = largest
    file = write_score_map(tmp_path / '0', values, 'pth', classes=classes)
    content = torch.load(file, weights_only=True)
    assert content.keys() == {'conf', 'pred'}
    assert content['conf'].dtype == torch.float32
    assert content['pred'].dtype == dtype
    np.testing.assert_array_equal(content['conf'], 1 - values)
    np.testing.assert_array_equal(content['pred'], classes)
    np.testing.assert_allclose(read_score_map(file), values, rtol=0, atol=2**-24)


def test_confidences_that_miss_one_by_rounding(tmp_path):
    values = np.full(SHAPE, -1e-6)
    file = write_score_map(tmp_path / '0.pth', values, classes=np.zeros(SHAPE, int))
    assert (read_score_map(file) == 0).all()


@pytest.mark.parametrize(('bits', 'top'), [(8, 255), (16, 65535)])
def test_png_without_range_stands_for_zero_to_one(bits, top, tmp_path):
    stored = np.array([[0, top // 5, top]], dtype=f'uint{bits}')
    Image.fromarray(stored).save(tmp_path / '0.png')
    np.testing.assert_allclose(read_score_map(tmp_path / '0.png'), [[0, 0.2, 1]], atol=1e-7)


@pytest.mark.parametrize('shape', [(1, 7, 9), (7, 9, 1), (1, 1, 9)])
def test_axes_of_length_one(shape, tmp_path):
    values = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    np.save(tmp_path / '0.npy', values)
    expected = values.reshape((7, 9) if values.size == 63 else (1, 9))
    np.testing.assert_array_equal(read_score_map(tmp_path / '0.npy'), expected)


def test_nothing_is_left_of_a_file_that_fails(tmp_path, monkeypatch):
    def fail(stream, values):
        stream.write(b'half')
        raise OSError(28, 'No space left on device')

    write_score_map(tmp_path / '0.npy', np.zeros(SHAPE))
    before = (tmp_path / '0.npy').read_bytes()
    monkeypatch.setattr(np, 'save', fail)
    with pytest.raises(OSError, match='No space left'):
        write_score_map(tmp_path / '0.npy', np.ones(SHAPE))
    assert [path.name for path in tmp_path.iterdir()] == ['0.npy']
    assert (tmp_path / '0.npy').read_bytes() == before


@pytest.mark.parametrize(
    ('values', 'arguments', 'message'),
    [
        (np.zeros(SHAPE), ('tif',), r"`format` must be one of \('npy', 'png', 'pth'\), got 'tif'"),
        (np.zeros((1, *SHAPE)), ('npy',), r'`values` must have shape \(H, W\), got \(1, 7, 9\)'),
        (np.full(SHAPE, np.nan), ('png',), '`values` is NaN or infinite at 63 of 63 pixels'),
        (np.zeros(SHAPE), ('png', (1, 0)), r'`limits` must be \(low, high\), got \(1, 0\)'),
        (np.zeros(SHAPE), ('pth',), r'needs `classes` of shape \(7, 9\), got None'),
        (np.zeros(SHAPE), ('pth', None, np.zeros((2, 2), int)), r'got \(2, 2\)'),
        (np.full(SHAPE, 1.5), ('pth', None, np.zeros(SHAPE, int)), r'in \[0, 1\], got 1.5 to 1.5'),
    ],
)
def test_what_cannot_be_written(values, arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_score_map(tmp_path / 'map', values, *arguments)
    assert not list(tmp_path.iterdir())


def broken_text(file):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text('score_range', 'from 0 to 1')
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(file, pnginfo=info)


@pytest.mark.parametrize(
    ('name', 'make', 'message'),
    [
        ('0.npy', lambda file: file.write_bytes(b'no array'), 'no NumPy array'),
        ('0.png', lambda file: file.write_bytes(b'no picture'), 'cannot be read'),
        ('0.png', broken_text, r'"\[low, high\]", got \'from 0 to 1\''),
        (
            '0.png',
            lambda file: Image.fromarray(np.zeros((*SHAPE, 3), np.uint8)).save(file),
            r'one channel of 8 or 16 bits, got uint8 \(7, 9, 3\)',
        ),
        ('0.pth', lambda file: torch.save([1], file), "'conf' and 'pred', got list"),
        (
            '0.pth',
            lambda file: torch.save({'conf': torch.zeros(3, 3), 'pred': torch.ones(3, 3)}, file),
            '`pred` must hold integers, got torch.float32',
        ),
    ],
)
def test_what_cannot_be_read(name, make, message, tmp_path):
    make(tmp_path / name)
    with pytest.raises(ValueError, match=f'{name}: .*{message}'):
        read_score_map(tmp_path / name)
