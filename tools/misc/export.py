"""Export an ABNN with all its members as one file: ONNX, or a program of torch.export.

The file predicts as the config says (draws, temperature, labels), without this package. Its inputs
and outputs are described in docs/export.md.
"""

import argparse
import importlib.util
import os

from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

import mmseg_abnn  # noqa: F401  registers what configs name
from mmseg_abnn.apis import (
    CommandParser,
    add_common_arguments,
    check_segmentor,
    export_segmentor,
    load_config,
    load_runner,
)
from mmseg_abnn.apis.export import NOISE
from mmseg_abnn.apis.export_check import onnx_differences
from mmseg_abnn.models.wrappers import unwrapped


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = CommandParser(description=__doc__)
    parser.add_argument('config', help='the config of the ABNN')
    parser.add_argument('checkpoint', help='its checkpoint, with the members')
    parser.add_argument('out', help='the file to write: .onnx, or .pt2 for torch.export')
    add_common_arguments(parser)
    parser.add_argument(
        '--noise',
        choices=NOISE,
        default='constant',
        help='constant: all members and draws in one graph. input: a graph of one draw, whose '
        'noise and member are inputs; they are written to OUT_functions.npz',
    )
    parser.add_argument(
        '--size',
        nargs=2,
        type=int,
        metavar=('HEIGHT', 'WIDTH'),
        help='the size of all images, in pixels; without it, images of any size are taken',
    )
    return parser.parse_args()


def load_model(cfg: Config, checkpoint: str) -> nn.Module:
    """Return the segmentor with its weights, Bayesian layers and members."""
    return unwrapped(load_runner(cfg, checkpoint).model)


def main() -> None:
    """Export."""
    args = parse_args()
    cfg = load_config(args, analysis='export')
    check_segmentor(cfg, 'export.py')
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    model = load_model(cfg, args.checkpoint).cpu()
    size = None if args.size is None else (args.size[0], args.size[1])
    exported = export_segmentor(model, args.out, size, args.noise)
    for file in exported.files:
        print(f'Written: {file} ({os.path.getsize(file) / 2**20:.1f} MiB)')
    if not args.out.endswith('.onnx'):
        return
    if importlib.util.find_spec('onnxruntime') is None:
        print('Not compared with PyTorch: onnxruntime is not installed')
        return
    print('Largest differences to PyTorch in onnxruntime (of labels: their share):')
    for name, difference in onnx_differences(exported).items():
        print(f'  {name}: {difference:.1e}')


if __name__ == '__main__':
    main()
