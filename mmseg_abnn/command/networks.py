"""``train`` and ``test``."""

import argparse

from ..parsers import add_common_arguments
from .subcommand import Subcommand

CONFIG_HELP = 'the config file, or a config of a package such as mmseg_abnn::abnn/NAME.py'


def _add_train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', help=CONFIG_HELP)
    add_common_arguments(parser)
    parser.add_argument(
        '--resume',
        action='store_true',
        help='continue an interrupted training from the latest checkpoint in the work dir',
    )
    parser.add_argument(
        '--member', type=int, help='fine-tune this member only (job arrays); then merge them'
    )
    parser.add_argument('--amp', action='store_true', help='train in automatic mixed precision')


def _train(args: argparse.Namespace) -> None:
    from ..apis import enable_amp, load_config, train

    cfg = load_config(args)
    cfg.resume = args.resume or bool(cfg.get('resume'))
    if args.amp:
        enable_amp(cfg)
    train(cfg, args.member)


def _add_test_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', help=CONFIG_HELP)
    parser.add_argument('checkpoint', help='the checkpoint file; of an ABNN its abnn.pth')
    add_common_arguments(parser)
    parser.add_argument('--out', help='the folder to save predictions and score maps to')
    parser.add_argument(
        '--out-format',
        choices=['npy', 'png', 'pth'],
        help='what --out saves score maps as: float32 arrays (npy, the default), 16-bit pictures '
        '(png), or the files of the MUAD challenge (pth: the prediction and its confidence)',
    )
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--show-dir', help='the folder to save pictures of the predictions to')
    parser.add_argument(
        '--wait-time', type=float, default=2, help='how long --show shows a picture, in seconds'
    )
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')


def _test(args: argparse.Namespace) -> None:
    from ..apis import enable_tta, load_config, show_pictures, test

    cfg = load_config(args)
    if args.show or args.show_dir:
        show_pictures(cfg, args.show_dir, args.show, args.wait_time)
    if args.tta:
        enable_tta(cfg)
    test(cfg, args.checkpoint, args.out, args.out_format)


TRAIN = Subcommand(
    'train',
    'Train a segmentor or classifier, or fine-tune the members of an ABNN.',
    _add_train_arguments,
    _train,
)
TEST = Subcommand(
    'test',
    'Test a deterministic network or an ABNN: quality, calibration and OOD detection.',
    _add_test_arguments,
    _test,
)
