"""Test a deterministic network or an ABNN: `mmseg-abnn test`."""

from mmseg_abnn.command import run_tool

if __name__ == '__main__':
    run_tool('test')
