"""``predict``."""

import argparse

from ..parsers import add_config_options, number
from .subcommand import Subcommand


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'model', metavar='MODEL', help='the abnn.pth of an ABNN, or a config with --weights'
    )
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='images, folders of images, a video, or a camera as camera:0 or 0',
    )
    parser.add_argument('--weights', help='the checkpoint, where MODEL is a config')
    parser.add_argument(
        '--out-dir', default='predictions', help='the folder to write to (predictions)'
    )
    parser.add_argument(
        '--batch-size', type=number(int, 1), default=1, help='images of one size together (1)'
    )
    parser.add_argument('--device', help='such as cpu or cuda:1; the first GPU, if there is one')
    add_config_options(parser)
    parser.add_argument(
        '--maps',
        nargs='+',
        metavar='NAME',
        help='the uncertainty maps to draw and to write (entropy)',
    )
    parser.add_argument(
        '--format',
        choices=['png', 'npy', 'pth'],
        default='png',
        help="how the maps are written: 16-bit PNG (png), arrays, or the MUAD challenge's files",
    )
    parser.add_argument(
        '--no-pictures', action='store_true', help='write the maps and no pictures of them'
    )


def _predict(args: argparse.Namespace) -> None:
    from ..apis.inferencer import predict_command

    predict_command(args)


PREDICT = Subcommand(
    'predict',
    'Predict labels and uncertainty of images, folders of images, a video or a camera.',
    _add_arguments,
    _predict,
)
