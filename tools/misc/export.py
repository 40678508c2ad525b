"""Export an ABNN with all its members as one file: ONNX, or a program of torch.export.

The file predicts as the config says (draws, temperature, labels), without this package. Its inputs
and outputs are described in docs/export.md.
"""

import argparse
import importlib.util
import os

from mmseg.models import BaseSegmentor

import mmseg_abnn  # noqa: F401  registers what configs name
from mmseg_abnn.apis import CommandParser, export_segmentor, init_model
from mmseg_abnn.apis.command_line import read_options
from mmseg_abnn.apis.export import NOISE
from mmseg_abnn.apis.export_check import onnx_differences
from mmseg_abnn.parsers import add_config_options


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = CommandParser(description=__doc__)
    parser.add_argument('model', help='the abnn.pth of an ABNN, or a config with --weights')
    parser.add_argument('out', help='the file to write: .onnx, or .pt2 for torch.export')
    parser.add_argument('--weights', help='the checkpoint, where the model is a config')
    add_config_options(parser)
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


def main() -> None:
    """Export."""
    args = parse_args()
    model = init_model(args.model, args.weights, 'cpu', read_options(args.cfg_options))
    if not isinstance(model, BaseSegmentor):
        raise TypeError(f'export.py is for segmentors, got {type(model).__name__}')
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
