"""The scripts that start the tools on a cluster."""

import os
from pathlib import Path

import pytest

from helpers.tool_runner import ROOT, run, succeeded


@pytest.mark.parametrize(('tool', 'extra'), [('train', ()), ('test', ('abnn.pth',))])
def test_slurm_scripts_start_the_tools_by_srun(tmp_path, tool, extra):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$RECORD"\necho "$PYTHONPATH" >> "$RECORD"\n')
    srun.chmod(0o755)
    script = ROOT / f'tools/slurm_{tool}.sh'
    record = tmp_path / 'record'
    environment = dict(
        PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}',
        RECORD=str(record),
        GPUS='8',
        GPUS_PER_NODE='4',
        CPUS_PER_TASK='6',
        SRUN_ARGS='--qos high --exclusive',
    )
    command = [script, 'gpu', 'my job', 'config.py', *extra, '--work-dir', 'a folder']
    succeeded(run(command, **environment))
    lines = record.read_text().splitlines()
    assert lines[:-1] == [
        '--partition=gpu',
        '--job-name=my job',
        '--gres=gpu:4',
        '--ntasks=8',
        '--ntasks-per-node=4',
        '--cpus-per-task=6',
        '--kill-on-bad-exit=1',
        '--qos',
        'high',
        '--exclusive',
        'python',
        '-u',
        str(ROOT / f'tools/{tool}.py'),
        '--launcher',
        'slurm',
        'config.py',
        *extra,
        '--work-dir',
        'a folder',
    ]
    assert Path(lines[-1].split(os.pathsep)[0]).resolve() == ROOT
    usage = run([script, 'gpu'])
    assert usage.returncode == 2
    assert f'slurm_{tool}.sh PARTITION JOB_NAME CONFIG' in usage.stderr
