"""What is built of the repository: a wheel that works without it."""

import email
import importlib.util
import json
import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from helpers.tool_runner import ROOT, run, succeeded
from mmseg_abnn import __version__
from mmseg_abnn.apis import expand_abnn_section

SOURCES = (
    'mmseg_abnn',
    'configs',
    'tools',
    'docs',
    'tests',
    'setup.py',
    'pyproject.toml',
    'MANIFEST.in',
    'Makefile',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'CITATION.cff',
    'CONTRIBUTING.md',
    'model-index.yml',
)
# the hooks that pip calls: a source archive, a wheel of it, one of the sources, an editable one
BUILD = """
import os, sys, tarfile
from setuptools import build_meta
source, out = os.getcwd(), sys.argv[1]
build_meta.build_wheel(f'{out}/wheel')
build_meta.build_editable(f'{out}/editable')
archive = build_meta.build_sdist(f'{out}/sdist')
with tarfile.open(f'{out}/sdist/{archive}') as tar:
    tar.extractall(f'{out}/unpacked', filter='data')
os.chdir(f'{out}/unpacked/{archive.removesuffix(".tar.gz")}')
build_meta.build_wheel(f'{out}/wheel_of_sdist')
"""


def sources(folder):
    """Return the files of a folder of the repository that belong to it, sorted."""
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    )


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    """A copy of the sources with some litter (source), and what was built of it (the others)."""
    root = tmp_path_factory.mktemp('built')
    source = root / 'source'
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, source / name, ignore=shutil.ignore_patterns('__pycache__')
            )
        else:
            shutil.copy(ROOT / name, source)
    for folder in ('mmseg_abnn', 'configs/abnn', 'tools', 'tools/misc'):
        (source / folder / '__pycache__').mkdir()
        (source / folder / '__pycache__/old.cpython-311.pyc').touch()
    for litter in ('data/mini_streets/train/0.png', 'work_dirs/a/iter_1.pth', 'configs/a.pth'):
        (source / litter).parent.mkdir(parents=True, exist_ok=True)
        (source / litter).touch()
    for folder in ('wheel', 'editable', 'sdist', 'unpacked', 'wheel_of_sdist'):
        (root / folder).mkdir()
    succeeded(run([sys.executable, '-c', BUILD, root], cwd=source))
    return root


@pytest.fixture(scope='module')
def wheel(built):
    [path] = (built / 'wheel').glob('*.whl')
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope='module')
def installed(built, wheel):
    """The folder that the wheel is unpacked in, as pip does it."""
    folder = built / 'installed'
    for entry in wheel.infolist():
        path = Path(wheel.extract(entry, folder))
        path.chmod(entry.external_attr >> 16)
    return folder


def test_a_wheel_holds_the_package_its_configs_and_its_tools_and_nothing_else(wheel):
    mim = [*sources('configs'), *sources('tools'), 'model-index.yml']
    expected = [*sources('mmseg_abnn'), *(f'mmseg_abnn/.mim/{path}' for path in mim)]
    names = {name for name in wheel.namelist() if '.dist-info/' not in name}
    assert names == set(expected)
    assert len(wheel.namelist()) == len(set(wheel.namelist()))
    for name in (
        'mmseg_abnn/.mim/configs/abnn/deeplabv3plus_muad.py',
        'mmseg_abnn/.mim/configs/abnn/metafile.yml',
        'mmseg_abnn/.mim/tools/train.py',
        'mmseg_abnn/.mim/tools/launchers/torchrun.sh',
        'mmseg_abnn/.mim/tools/analysis_tools/comparison/methods.py',
        'mmseg_abnn/.mim/tools/dataset_converters/mini_streets/render.py',
    ):
        assert name in names


def test_scripts_stay_executable(wheel):
    modes = {
        entry.filename: entry.external_attr >> 16
        for entry in wheel.infolist()
        if entry.filename.endswith('.sh')
    }
    assert len(modes) == 6
    assert all(mode & 0o111 == 0o111 for mode in modes.values())


def test_the_metafiles_name_configs_that_are_in_the_wheel(wheel):
    mim = 'mmseg_abnn/.mim'
    index = yaml.safe_load(wheel.read(f'{mim}/model-index.yml'))
    models = [
        model
        for path in index['Import']
        for model in yaml.safe_load(wheel.read(f'{mim}/{path}'))['Models']
    ]
    assert len(models) > 5
    assert {f'{mim}/{model["Config"]}' for model in models} <= set(wheel.namelist())


def test_the_license_is_in_the_metadata(wheel):
    [path] = (name for name in wheel.namelist() if name.endswith('/METADATA'))
    metadata = email.message_from_bytes(wheel.read(path))
    assert metadata['License-Expression'] == 'Apache-2.0'
    assert metadata.get_all('License-File') == ['LICENSE']
    [text] = (wheel.read(name) for name in wheel.namelist() if name.endswith('/LICENSE'))
    assert text == (ROOT / 'LICENSE').read_bytes()
    assert b'Version 2.0, January 2004' in text


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text(encoding='utf-8'))
    assert citation['version'] == __version__
    assert citation['license'] == 'Apache-2.0'
    assert citation['preferred-citation']['url'] == 'https://arxiv.org/abs/2312.15297'


def test_the_files_that_contributing_names_exist():
    text = (ROOT / 'CONTRIBUTING.md').read_text(encoding='utf-8')
    words = re.findall(r'`([^`\s]+)`', text)
    paths = [word for word in words if '/' in word]
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_description_has_no_link_that_works_in_the_repository_only(wheel):
    [path] = (name for name in wheel.namelist() if name.endswith('/METADATA'))
    text = email.message_from_bytes(wheel.read(path)).get_payload(decode=True).decode()
    assert '](https://github.com/open-mmlab/mmsegmentation)' in text
    assert text.count('](') == text.count('](https://')


def test_links_for_a_page_elsewhere():
    spec = importlib.util.spec_from_file_location('setup_of_the_package', ROOT / 'setup.py')
    setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup)
    text = '![Scenes](docs/a.png) [how](docs/b.md#c), [paper](https://d.e/f), [above](#g)'
    address = 'https://github.com/o/n'
    assert setup.for_package_page(text, address) == (
        f'![Scenes]({address}/raw/HEAD/docs/a.png) [how]({address}/blob/HEAD/docs/b.md#c), '
        '[paper](https://d.e/f), [above](#g)'
    )
    assert setup.for_package_page(text, None) == ' how, [paper](https://d.e/f), [above](#g)'


def test_the_source_archive_makes_the_same_wheel(built, wheel):
    [path] = (built / 'wheel_of_sdist').glob('*.whl')
    with zipfile.ZipFile(path) as archive:
        assert {entry.filename: entry.CRC for entry in archive.infolist()} == {
            entry.filename: entry.CRC for entry in wheel.infolist()
        }


def test_building_leaves_the_sources_alone(built):
    assert not (built / 'source/mmseg_abnn/.mim').exists()
    kept = [path for path in (built / 'source').rglob('*') if path.is_symlink()]
    assert kept == []
    new = {path.name for path in (built / 'source').iterdir()} - set(SOURCES)
    assert new == {'build', 'data', 'mmseg_abnn.egg-info', 'work_dirs'}


def test_an_editable_install_uses_configs_and_tools_where_they_are(built):
    [path] = (built / 'editable').glob('*.whl')
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if '.mim' in name or name.endswith('.sh')]
        finders = [archive.read(n).decode() for n in archive.namelist() if '__editable__' in n]
    assert str(built / 'source/mmseg_abnn') in ''.join(finders)


# reads a config as the tools do, then runs a tool as `python TOOL ...` does, in one process
IN_AN_EMPTY_FOLDER = """
import json, os, runpy, sys
from mmengine.config import Config
from mmengine.hub import get_config
import mmseg_abnn
from mmseg_abnn.apis import expand_abnn_section
mine, muad = Config.fromfile('mine.py'), get_config('mmseg_abnn::abnn/deeplabv3plus_muad.py')
expand_abnn_section(mine)
found = dict(package=mmseg_abnn.__file__, mine=mine.to_dict(), muad=muad.to_dict())
with open('found.json', 'w') as file:
    json.dump(found, file)
tools = os.path.dirname(mmseg_abnn.__file__) + '/.mim/tools'
sys.argv = [f'{tools}/dataset_converters/mini_streets.py', *sys.argv[1:]]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def test_a_wheel_works_in_an_empty_folder(installed, tmp_path):
    (tmp_path / 'mine.py').write_text(
        "_base_ = 'mmseg_abnn::abnn/deeplabv3plus_muad.py'\nabnn = dict(num_members=2)\n"
    )
    counts = ('--train', 1, '--val', 1, '--test-id', 1, '--test-ood', 1)
    rendering = ('rendered', '--size', 64, 128, '--workers', 1, *counts)
    command = [sys.executable, '-c', IN_AN_EMPTY_FOLDER, *rendering]
    succeeded(run(command, cwd=tmp_path, PYTHONPATH=str(installed)))
    found = json.loads((tmp_path / 'found.json').read_text())
    assert found['package'] == str(installed / 'mmseg_abnn/__init__.py')
    original = Config.fromfile(ROOT / 'configs/abnn/deeplabv3plus_muad.py')
    assert found['muad'] == as_json(original)
    original.abnn.num_members = 2
    expand_abnn_section(original)
    assert found['mine'] == as_json(original)
    # its base is MMSegmentation's own config
    assert found['mine']['model']['decode_head']['type'] == 'DepthwiseSeparableASPPHead'
    assert {path.parents[1].name for path in (tmp_path / 'rendered').rglob('*.png')} == {
        'train',
        'val',
        'test_id',
        'test_ood',
    }


def test_the_command_works_from_a_wheel_in_an_empty_folder(wheel, installed, tmp_path):
    [path] = (name for name in wheel.namelist() if name.endswith('/entry_points.txt'))
    assert wheel.read(path).decode().splitlines() == [
        '[console_scripts]',
        'mmseg-abnn = mmseg_abnn.command:main',
    ]
    script = installed / 'mmseg-abnn'  # as pip writes it
    script.write_text('import sys\nfrom mmseg_abnn.command import main\nsys.exit(main())\n')
    name = 'mmseg_abnn::_base_/datasets/muad.py'
    command = [sys.executable, script, 'copy-config', name, 'mine.py']
    succeeded(run(command, cwd=tmp_path, PYTHONPATH=str(installed)))
    copied = Config.fromfile(tmp_path / 'mine.py')
    assert copied.to_dict() == Config.fromfile(ROOT / 'configs/_base_/datasets/muad.py').to_dict()


def as_json(cfg):
    return json.loads(json.dumps(cfg.to_dict()))
