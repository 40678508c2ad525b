"""Suggest the noise scale alpha of an ABNN from a validation set: `mmseg-abnn suggest-alpha`."""

from mmseg_abnn.command import run_tool

if __name__ == '__main__':
    run_tool('suggest-alpha')
