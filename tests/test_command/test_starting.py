"""How the command starts: its help needs no PyTorch, everything else has the whole package."""

import json
import resource
import sys

import pytest

from helpers.tool_runner import ROOT, run
from mmseg_abnn import startup

SUBCOMMANDS = (
    'train',
    'test',
    'predict',
    'export',
    'suggest-alpha',
    'merge',
    'list-configs',
    'copy-config',
    'env',
)
# as an installer writes it
SCRIPT = """
import sys
from mmseg_abnn.command import main
if __name__ == '__main__':
    sys.exit(main())
"""
# run by Python at its start: tells at its end what was imported
REPORT = """
import atexit, json, sys
def report():
    heavy = {'torch', 'numpy', 'mmengine', 'mmcv', 'mmseg'}
    print(json.dumps(sorted(heavy.intersection(sys.modules))), file=sys.stderr)
atexit.register(report)
"""
# spawns a process, as a data loader does, where PyTorch cannot be imported
SPAWNING = """
import multiprocessing, sys
import mmseg_abnn
from mmseg_abnn.startup import import_everything
if __name__ == '__main__':
    assert 'mmseg_abnn.registration' not in sys.modules
    process = multiprocessing.get_context('spawn').Process(target=print)
    process.start()
    process.join()
    print('the code of the other process:', process.exitcode)
    import_everything()
"""


@pytest.fixture(scope='module')
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp('bin') / 'mmseg-abnn'
    path.write_text(SCRIPT)
    return path


@pytest.fixture(scope='module')
def forms(script):
    (script.parent / 'sitecustomize.py').write_text(REPORT)
    return {'script': [script], 'module': ['-m', 'mmseg_abnn']}


def processor_time():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def start(command, *folders):
    path = ':'.join(map(str, (*folders, ROOT)))
    return run([sys.executable, *command], PYTHONPATH=path)


@pytest.mark.parametrize('form', ['script', 'module'])
@pytest.mark.parametrize('subcommand', [None, *SUBCOMMANDS])
def test_help_takes_less_than_a_second_and_imports_nothing(forms, form, subcommand, script):
    before = processor_time()
    arguments = [] if subcommand is None else [subcommand]
    result = start([*forms[form], *arguments, '--help'], script.parent)
    assert processor_time() - before < 1
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stderr) == []
    words = result.stdout.split()
    assert words[:2] == ['usage:', 'mmseg-abnn']
    assert words[2] == (subcommand or '[-h]')
    if subcommand is None:
        listed = [line.split()[0] for line in result.stdout.splitlines() if line.startswith('  ')]
        assert [name for name in listed if name in SUBCOMMANDS] == list(SUBCOMMANDS)


@pytest.fixture(scope='module')
def without_torch(tmp_path_factory):
    folder = tmp_path_factory.mktemp('packages')
    (folder / 'torch.py').write_text("raise ImportError('broken on purpose')")
    return folder


def test_a_process_that_the_command_spawns_imports_everything_at_once(without_torch, tmp_path):
    script = tmp_path / 'mmseg-abnn'
    script.write_text(SPAWNING)
    result = start([script], without_torch)
    assert 'the code of the other process: 1' in result.stdout
    # once from the other process, once from the command's own
    assert result.stderr.count('ImportError: `torch` cannot be imported') == 2
    assert result.returncode == 1


def test_env_reports_versions_where_pytorch_is_broken(without_torch):
    result = start(['-m', 'mmseg_abnn', 'env'], without_torch)
    assert result.returncode == 1
    lines = dict(line.split(': ', 1) for line in result.stdout.splitlines())
    assert set(lines) >= {'Python', 'mmseg_abnn', 'torch', 'mmengine', 'mmcv', 'mmseg'}
    assert result.stderr.startswith('`torch` cannot be imported: ImportError: broken on purpose')
    assert 'Traceback' not in result.stderr


PYTHON = '/usr/bin/python'


@pytest.mark.parametrize(
    ('orig_argv', 'argv', 'expected'),
    [
        ([PYTHON, '/bin/mmseg-abnn', 'train', 'a.py'], ['/bin/mmseg-abnn', 'train', 'a.py'], True),
        ([PYTHON, '-X', 'dev', '-m', 'mmseg_abnn', 'env'], ['-m', 'env'], True),
        # an option of another module, another script, or the name as an argument
        ([PYTHON, '-m', 'torch.distributed.run', '-m', 'mmseg_abnn'], ['-m', '-m', 'x'], False),
        ([PYTHON, '-m', 'pytest', 'mmseg_abnn'], ['-m', 'mmseg_abnn'], False),
        ([PYTHON, '-m', 'mmseg_abnn.apis'], ['-m'], False),
        ([PYTHON, 'tools/train.py', 'mmseg-abnn'], ['tools/train.py', 'mmseg-abnn'], False),
        ([PYTHON, 'mmseg-abnn.py'], ['mmseg-abnn.py'], False),
        # the module once it runs, processes that were spawned, an interactive and an embedded one
        ([PYTHON, '-m', 'mmseg_abnn'], ['/lib/mmseg_abnn/__main__.py'], False),
        ([PYTHON, '-c', 'spawn_main()', '--fork'], ['/bin/mmseg-abnn', 'train', 'a.py'], False),
        ([PYTHON, '-c', 'spawn_main()'], ['/bin/mmseg-abnn', 'train', 'a.py', '--amp'], False),
        ([PYTHON], [''], False),
        ([], [], False),
    ],
)
def test_which_process_is_the_command(orig_argv, argv, expected):
    assert startup.started_as_command(orig_argv, argv) is expected
