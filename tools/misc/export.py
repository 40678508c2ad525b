"""Export an ABNN with all its members as one file: `mmseg-abnn export`."""

from mmseg_abnn.command import run_tool

if __name__ == '__main__':
    run_tool('export')
