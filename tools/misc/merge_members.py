"""Merge member files and their base network into one checkpoint: `mmseg-abnn merge`."""

from mmseg_abnn.command import run_tool

if __name__ == '__main__':
    run_tool('merge')
