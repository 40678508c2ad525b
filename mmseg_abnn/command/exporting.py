"""``export``."""

import argparse
import importlib.util
import os

from ..parsers import add_config_options
from .subcommand import Subcommand


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'model', metavar='MODEL', help='the abnn.pth of an ABNN, or a config with --weights'
    )
    parser.add_argument(
        'out', metavar='OUT', help='the file to write: .onnx, or .pt2 for torch.export'
    )
    parser.add_argument('--weights', help='the checkpoint, where MODEL is a config')
    add_config_options(parser)
    parser.add_argument(
        '--noise',
        choices=['constant', 'input'],
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


def _export(args: argparse.Namespace) -> None:
    from mmseg.models import BaseSegmentor

    from ..apis import export_segmentor, init_model
    from ..apis.command_line import read_options
    from ..apis.export_check import onnx_differences

    model = init_model(args.model, args.weights, 'cpu', read_options(args.cfg_options))
    if not isinstance(model, BaseSegmentor):
        raise TypeError(f'export is for segmentors, got {type(model).__name__}')
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


EXPORT = Subcommand(
    'export',
    """Export an ABNN with all its members as one file: ONNX, or a program of torch.export.

The file predicts as the config says (draws, temperature, labels), without this package. Its inputs
and outputs are described in docs/export.md.
""",
    _add_arguments,
    _export,
)
