"""tools/analysis_tools/browse_dataset.py, on a small MiniStreets."""

import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from helpers.tool_loader import load_tool
from helpers.tool_runner import BASE_CONFIG, data_options, run_tool, succeeded
from mmseg_abnn.datasets import MiniStreetsDataset
from mmseg_abnn.visualization.browse import overlay_labels

TOOL = 'analysis_tools/browse_dataset.py'
OOD_IDS = (19, 20)  # as MUAD stores them
META = MiniStreetsDataset.METAINFO


@pytest.fixture(scope='module')
def tool():
    return load_tool(TOOL)


def browse(data, out, *arguments):
    return run_tool(TOOL, BASE_CONFIG, '--out', out, *arguments, options=data_options(data))


def pictures(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob('*.png')}


@pytest.fixture(scope='module')
def browsed(data, tmp_path_factory):
    """Look at the test set; return what was printed, and the folder."""
    out = tmp_path_factory.mktemp('browsed') / 'out'
    result = succeeded(browse(data, out, '--split', 'test', '--number', 4, '--statistics'))
    return result.stdout, out


def test_pictures_of_all_parts(browsed, data):
    _, out = browsed
    # the first, third, fifth and last of the seven
    assert pictures(out) == {
        'test_id/000000_leftImg8bit.png',
        'test_id/000002_leftImg8bit.png',
        'test_ood/000001_leftImg8bit.png',
        'test_ood/000003_leftImg8bit.png',
    }
    for index in (1, 3):
        picture = np.asarray(Image.open(out / f'test_ood/{index:06d}_leftImg8bit.png'))
        stored = np.asarray(Image.open(data / f'test_ood/leftLabel/{index:06d}_leftLabel.png'))
        image = Image.open(data / f'test_ood/leftImg8bit/{index:06d}_leftImg8bit.png')
        labels = np.full(stored.shape, 254)
        for new, old in enumerate(MiniStreetsDataset.STORED_IDS):
            labels[stored == old] = new
        image, labels = (
            np.asarray(array).repeat(4, 0).repeat(4, 1) for array in (image.convert('RGB'), labels)
        )
        np.testing.assert_array_equal(picture[:256, :512], image)
        expected = overlay_labels(image, labels, META['palette'], 254)
        np.testing.assert_array_equal(picture[:256, 517:], expected)


def test_statistics_of_all_parts(browsed, data):
    printed, out = browsed
    found = json.loads((out / 'statistics.json').read_text())
    assert list(found) == ['test_id', 'test_ood']
    for split, numbers in found.items():
        labels = [np.asarray(Image.open(p)) for p in sorted((data / split).rglob('*Label.png'))]
        assert numbers['images'] == len(labels)
        assert numbers['pixels'] == sum(label.size for label in labels)
        for row, name, stored in zip(
            numbers['classes'], META['classes'], MiniStreetsDataset.STORED_IDS, strict=True
        ):
            assert row['name'] == name
            assert row['pixels'] == sum((label == stored).sum() for label in labels)
            assert row['images'] == sum((label == stored).any() for label in labels)
            assert row['share'] == row['pixels'] / numbers['pixels']
            assert f'{row["pixels"]:,}' in printed
        ood = sum(np.isin(label, OOD_IDS).sum() for label in labels)
        assert numbers['ood']['pixels'] == ood
        assert (ood > 0) == (split == 'test_ood')
        assert numbers['ignored']['pixels'] == 0
        assert numbers['unknown'] == numbers['broken'] == []


def test_damaged_labels_are_reported(data, tmp_path):
    copy = tmp_path / 'data'
    shutil.copytree(data, copy)
    folder = copy / 'train/leftLabel'
    label = np.array(Image.open(folder / '000003_leftLabel.png'))
    label[0, :17] = 30
    Image.fromarray(label).save(folder / '000003_leftLabel.png')
    with open(folder / '000005_leftLabel.png', 'r+b') as file:
        file.truncate(100)
    result = browse(copy, tmp_path / 'out', '--statistics')
    assert result.returncode == 1
    unknown, broken = (str(folder / f'{number}_leftLabel.png') for number in ('000003', '000005'))
    assert f'unknown id 30: 17 pixels in 1 images, first: {unknown}' in result.stdout
    assert f'broken: {broken}: cannot be read' in result.stdout
    found = json.loads((tmp_path / 'out/statistics.json').read_text())['train']
    assert found['images'] == 5
    assert [(row['id'], row['pixels']) for row in found['unknown']] == [(30, 17)]
    assert [row['file'] for row in found['broken']] == [broken]
    # the rest is shown, unknown ids too
    assert len(pictures(tmp_path / 'out')) == 5
    assert f'{broken}: cannot be read' in result.stderr
    assert '5 pictures' in result.stdout
    assert '1 could not be made' in result.stdout


def test_what_the_network_sees(data, tmp_path):
    succeeded(browse(data, tmp_path, '--augmented', '--number', 2))
    names = pictures(tmp_path)
    assert names == {
        'train/000000_leftImg8bit_augmented_0.png',
        'train/000005_leftImg8bit_augmented_5.png',
    }
    for name in names:
        picture = np.asarray(Image.open(tmp_path / name))
        # a square crop, enlarged by 4, of an image of 64x128
        assert picture.shape[1] == 2 * 512 + 5
        assert picture.shape[0] > 512
        blocks = picture[:512, :512].reshape(128, 4, 128, 4, 3)
        assert (blocks == blocks[:, :1, :, :1]).all()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--number', '0'], '--number must be at least 1, got 0'),
        (['--number', '-3'], '--number must be at least 1, got -3'),
        (['--split', 'all'], "invalid choice: 'all'"),
        (['--show'], '--show needs a display'),
    ],
)
def test_bad_arguments(tool, monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(sys, 'argv', ['browse_dataset.py', 'config.py', *arguments])
    monkeypatch.setattr(tool.pyplot, 'get_backend', lambda: 'agg')
    with pytest.raises(SystemExit) as error:
        tool.parse_args()
    assert error.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ('total', 'number', 'expected'),
    [(7, 4, [0, 2, 4, 6]), (7, 1, [0]), (3, 20, [0, 1, 2]), (1, 1, [0]), (10, 3, [0, 4, 9])],
)
def test_evenly_spaced(tool, total, number, expected):
    assert tool.evenly_spaced(total, number) == expected


@pytest.fixture
def plain(tmp_path):
    """The config of a plain dataset of MMSegmentation, repeated, with images in two folders."""
    for number, city in enumerate('ab'):
        (tmp_path / 'data' / city).mkdir(parents=True)
        for kind, array in (
            ('jpg', np.full((4, 6, 3), 90, np.uint8)),
            ('png', np.full((4, 6), number, np.uint8)),
        ):
            Image.fromarray(array).save(tmp_path / f'data/{city}/1.{kind}')
    dataset = dict(
        type='BaseSegDataset',
        data_root=str(tmp_path / 'data'),
        metainfo=dict(classes=('x', 'y'), palette=[[255, 0, 0], [0, 0, 255]]),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ],
    )
    return dict(type='RepeatDataset', times=2, dataset=dataset)


def test_plain_dataset(tool, plain, tmp_path):
    tool.init_default_scope('mmseg')
    cfg = tool.Config(dict(train_dataloader=dict(dataset=plain)))
    dataset = tool.build_dataset(cfg, 'train')
    parts = tool.dataset_parts(dataset, 'train')
    assert tool.write_statistics(parts, tmp_path)
    found = json.loads((tmp_path / 'statistics.json').read_text())['train']
    assert [row['pixels'] for row in found['classes']] == [24, 24]
    stored = tool.stored_entries(parts)
    assert tool.write_pictures(stored, tmp_path / 'stored', show=False)
    assert pictures(tmp_path / 'stored') == {'train/a/1.png', 'train/b/1.png'}
    # an image that is delivered twice has two pictures
    assert tool.write_pictures(
        tool.augmented_entries(dataset, stored, 20), tmp_path / 'augmented', show=False
    )
    assert pictures(tmp_path / 'augmented') == {
        f'train/{city}/1_augmented_{index}.png' for index, city in enumerate('abab')
    }
    for city, color in (('a', (189, 36, 36)), ('b', (36, 36, 189))):  # 0.4 * 90 + 0.6 * color
        for picture in (tmp_path / 'stored' / 'train' / city).glob('*.png'):
            assert tuple(np.asarray(Image.open(picture))[10, -10]) == color


def test_pictures_are_shown(tool, monkeypatch, tmp_path):
    shown = {}

    class Window:
        def __init__(self, name):
            pass

        def show(self, picture, win_name):
            shown[win_name] = picture

    monkeypatch.setattr(tool, 'Visualizer', Window)
    scene = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)
    entry = tool.Entry(tool.Path('val/1'), '1.png', lambda: scene, META)
    assert tool.write_pictures([entry], tmp_path, show=True)
    assert list(shown) == ['val/1']
    np.testing.assert_array_equal(shown['val/1'], np.asarray(Image.open(tmp_path / 'val/1.png')))


def test_no_dataloader(tool):
    for cfg in ({}, dict(val_dataloader=None)):
        with pytest.raises(ValueError, match='the config has no `val_dataloader`'):
            tool.build_dataset(tool.Config(cfg), 'val')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(metainfo=None), 'the `metainfo` of val names no `classes`'),
        (dict(img_suffix='.tif', serialize_data=False), 'val holds no image'),
    ],
)
def test_nothing_to_show(tool, plain, change, message):
    tool.init_default_scope('mmseg')
    plain['dataset'] |= change
    cfg = tool.Config(dict(val_dataloader=dict(dataset=plain['dataset'])))
    parts = tool.dataset_parts(tool.build_dataset(cfg, 'val'), 'val')
    with pytest.raises(ValueError, match=message):
        tool.check_parts(parts)
