"""Scripts run in the process of the tests, against what a process of their own gives."""

import os
import random
import sys

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from helpers.in_process import run_script
from helpers.tool_runner import run

START = """
import os, sys
from pathlib import Path
print(__name__, sys.argv, os.getcwd(), sys.path[0], Path('here.txt').read_text())
print('a warning', file=sys.stderr)
"""
LEFT_OVER = """
import os, random, sys
import numpy, torch
from mmengine.logging import MMLogger, print_log
from mmengine.registry import DefaultScope, init_default_scope
assert DefaultScope.get_current_instance() is None
init_default_scope('mmengine')
MMLogger.get_instance('of the script', log_file='script.log')
print_log('logged', logger='current')
random.seed(7), numpy.random.seed(7), torch.manual_seed(7)
torch.backends.cudnn.benchmark = True
os.environ['OF_THE_SCRIPT'] = '1'
os.chdir('/')
sys.path.append('of the script')
"""


@pytest.mark.parametrize(
    'end',
    ['', 'sys.exit()', 'sys.exit(3)', 'sys.exit("no")', 'raise ValueError("wrong")', 'nowhere()'],
)
def test_it_is_what_a_process_gives(end, tmp_path):
    script = tmp_path / 'tools/script.py'
    script.parent.mkdir()
    script.write_text(f'{START}{end}\n')
    (tmp_path / 'here.txt').write_text('text')
    found = run_script(script, 1, '--two', cwd=tmp_path)
    expected = run([sys.executable, script, 1, '--two'], cwd=tmp_path)
    assert (found.returncode, found.stdout) == (expected.returncode, expected.stdout)
    lines, others = (result.stderr.splitlines() for result in (found, expected))
    assert (lines[0], lines[-1]) == (others[0], others[-1])


def test_nothing_is_left_over(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text(LEFT_OVER)
    logger = MMLogger.get_instance('of the test')
    scope = DefaultScope.get_current_instance()

    def state():
        return (
            random.getstate(),
            np.random.get_state()[1].tolist(),
            torch.get_rng_state().tolist(),
            torch.backends.cudnn.benchmark,
            dict(os.environ),
            os.getcwd(),
            list(sys.argv),
            list(sys.path),
            sys.modules['__main__'],
        )

    before = state()
    result = run_script(script, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert state() == before
    assert 'logged' in result.stdout
    assert 'logged' in (tmp_path / 'script.log').read_text()
    assert MMLogger.get_current_instance() is logger
    assert not MMLogger.check_instance_created('of the script')
    assert DefaultScope.get_current_instance() is scope
