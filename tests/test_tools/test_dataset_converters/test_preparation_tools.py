"""The tools that prepare benchmarks, as a user runs them."""

import json
import runpy
import sys

import pytest

from helpers.preparation_samples import (
    bdd,
    image,
    label,
    muad,
    read_tree,
    street_hazards,
    write_archive,
    write_tree,
)
from helpers.tool_runner import ROOT, run
from preparation import MUAD, STREET_HAZARDS, main

TOOLS = ROOT / 'tools/dataset_converters'


@pytest.mark.parametrize(
    ('name', 'files', 'prepared'),
    [
        ('street_hazards', street_hazards(), street_hazards()),
        ('bdd_anomaly', bdd(labels='seg/labels', shift=0), bdd()),
        ('muad', muad(), muad()),
    ],
)
def test_each_benchmark(tmp_path, monkeypatch, capsys, name, files, prepared):
    write_archive(tmp_path / 'download.tar.gz', files, 'top/')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', [name, 'download.tar.gz', '--partial'])
    with pytest.raises(SystemExit) as info:
        runpy.run_path(str(TOOLS / f'{name}.py'), run_name='__main__')
    assert info.value.code == 0
    found = read_tree(tmp_path / 'data' / name)
    assert prepared.items() <= found.items()
    assert json.loads(found['manifest.json'])['dataset'] == name
    assert f'{len(prepared) // 2} pairs are ready in data/{name}' in capsys.readouterr().out


def test_in_a_process_of_its_own(tmp_path):
    write_archive(tmp_path / 'cut.zip', muad())
    data = (tmp_path / 'cut.zip').read_bytes()
    (tmp_path / 'cut.zip').write_bytes(data[:-100])
    result = run([sys.executable, TOOLS / 'muad.py', 'cut.zip'], cwd=tmp_path)
    assert result.returncode == 2
    assert 'error: cut.zip is damaged, cut off or not readable' in result.stderr
    assert 'Traceback' not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['cut.zip']


@pytest.mark.parametrize(
    ('arguments', 'status', 'message'),
    [
        (['nowhere'], 2, 'error: the source nowhere (relative to '),
        (['in', '--workers', '0'], 2, 'error: `workers` must be >= 1, got 0'),
        (['in', '--dry-run'], 2, 'error: train: 1 images with labels, but 3420 were published'),
        (['in', '--dry-run', '--partial'], 0, ''),
        (['in', '--partial', '--out', 'in/a.txt'], 2, 'error: in/a.txt is a file'),
    ],
)
def test_exit_status(tmp_path, monkeypatch, capsys, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    before = {**muad(), 'a.txt': b'x'}
    write_tree(tmp_path / 'in', before)
    assert main(MUAD, arguments) == status
    assert capsys.readouterr().err.startswith(message)
    assert read_tree(tmp_path) == {f'in/{path}': content for path, content in before.items()}


def test_broken_files_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = street_hazards()
    files['test/images/test/t6/4.png'] = image()
    files['test/annotations/test/t6/4.png'] = label(15)
    write_tree(tmp_path / 'in', files)
    assert main(STREET_HAZARDS, ['in', '--partial']) == 2
    assert 'test/annotations/test/t6/4.png: unknown stored id(s) [15]' in capsys.readouterr().err
    assert main(STREET_HAZARDS, ['in', '--partial', '--skip-broken']) == 0
    assert '1 broken pairs are set aside' in capsys.readouterr().out
    assert (tmp_path / 'data/street_hazards/broken/test/images/test/t6/4.png').is_file()
