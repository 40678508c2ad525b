"""tools/dataset_converters/mini_streets.py as a user runs it."""

import json
import runpy
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from helpers.sharing import made_once
from helpers.tool_runner import ROOT, run, succeeded

TOOL = ROOT / 'tools' / 'dataset_converters' / 'mini_streets.py'
SMALL = ['--size', '64', '128', '--train', '2', '--val', '1', '--test-id', '1', '--test-ood', '1']


def write(folder):
    """Let the tool write to a folder that is given relative to the working directory."""
    command = [TOOL, 'data/streets', *SMALL, '--seed', 4, '--workers', 2]
    result = succeeded(run([sys.executable, *command], cwd=folder))
    assert 'wrote 5 images to data/streets' in result.stdout


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    return made_once(tmp_path_factory, 'streets_of_the_tool', write)


@pytest.fixture
def main(monkeypatch, tmp_path):
    """The tool's main function in this process, called with arguments."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *arguments])
        with pytest.raises(SystemExit) as info:
            runpy.run_path(str(TOOL), run_name='__main__')
        return info.value.code

    return call


def test_writes_the_asked_files(written):
    root = written / 'data/streets'
    counts = {'train': 2, 'val': 1, 'test_id': 1, 'test_ood': 1}
    expected = {'mini_streets.json'}
    for split, count in counts.items():
        for index in range(count):
            expected.add(f'{split}/leftImg8bit/{index:06d}_leftImg8bit.png')
            expected.add(f'{split}/leftLabel/{index:06d}_leftLabel.png')

    assert {p.relative_to(root).as_posix() for p in root.rglob('*') if p.is_file()} == expected
    manifest = json.loads((root / 'mini_streets.json').read_text())
    settings = {'seed': 4, 'size': [64, 128], 'counts': counts, 'format': 'mini_streets'}
    assert manifest == {'version': 1, **settings}
    with Image.open(root / 'test_ood/leftLabel/000000_leftLabel.png') as label:
        assert label.mode == 'L'
        assert label.size == (128, 64)
        assert np.isin(np.asarray(label), [19, 20]).any()
    with Image.open(root / 'test_ood/leftImg8bit/000000_leftImg8bit.png') as image:
        assert image.mode == 'RGB'
        assert image.size == (128, 64)


def test_interrupted_run_is_completed_and_a_complete_one_left_alone(
    written, main, capsys, tmp_path
):
    root = shutil.copytree(written / 'data/streets', tmp_path / 'data/streets')
    lost = root / 'train/leftLabel/000001_leftLabel.png'
    before = lost.read_bytes()
    lost.unlink()

    assert main('data/streets', *SMALL, '--seed', '4', '--workers', '1') == 0
    assert 'wrote 1 images' in capsys.readouterr().out
    assert lost.read_bytes() == before

    times = {path: path.stat().st_mtime_ns for path in root.rglob('*.png')}
    assert main('data/streets', *SMALL, '--seed', '4') == 0
    assert 'already there' in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in root.rglob('*.png')} == times


def test_refuses_other_settings(written, main, monkeypatch, capsys):
    monkeypatch.chdir(written)
    assert main('data/streets', *SMALL, '--seed', '5') == 2
    error = capsys.readouterr().err
    assert 'data/streets holds images of other settings' in error
    assert "'seed': 4" in error
    assert "'seed': 5" in error
    assert 'Traceback' not in error


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (
            ['--size', '32', '128'],
            '`size` must be at least 64 x 128 (height x width), got 32',
        ),
        (['--seed', '-1'], '`seed` must be >= 0, got -1'),
        (['--test-ood', '-3'], 'the number of test_ood images must be 0..999999, got -3'),
        (['--workers', '0'], '`workers` must be >= 1, got 0'),
        (['--train', 'many'], "argument --train: invalid int value: 'many'"),
    ],
)
def test_bad_arguments(main, capsys, tmp_path, arguments, message):
    assert main('out', *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_refuses_a_folder_with_other_things(main, capsys, tmp_path):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'thesis.tex').write_text('precious')
    assert main('out') == 2
    assert 'out is not empty and holds no mini_streets.json' in capsys.readouterr().err
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['thesis.tex']


def test_damaged_manifest_is_named(main, capsys, tmp_path):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'mini_streets.json').write_text('{"version": ')
    assert main('out') == 2
    assert 'out/mini_streets.json is damaged' in capsys.readouterr().err


def test_run_cut_off_after_the_manifest_is_taken_up(main, capsys, tmp_path):
    counts = {'train': 1, 'val': 0, 'test_id': 0, 'test_ood': 0}
    settings = {'seed': 0, 'size': [64, 128], 'counts': counts, 'format': 'mini_streets'}
    manifest = {'version': 1, **settings}
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'mini_streets.json').write_text(json.dumps(manifest))
    none = ['--val', '0', '--test-id', '0', '--test-ood', '0']
    assert main('out', '--size', '64', '128', '--train', '1', *none, '--workers', '1') == 0
    assert 'wrote 1 images' in capsys.readouterr().out


def test_refuses_a_file(main, capsys, tmp_path):
    (tmp_path / 'out').write_text('a file')
    assert main('out') == 2
    assert 'out is a file' in capsys.readouterr().err
