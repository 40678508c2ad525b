"""Train a segmentor or classifier, or fine-tune the members of an ABNN: `mmseg-abnn train`."""

from mmseg_abnn.command import run_tool

if __name__ == '__main__':
    run_tool('train')
