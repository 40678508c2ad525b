"""Test a deterministic network or an ABNN: quality, calibration and OOD detection."""

import argparse

import mmseg_abnn  # noqa: F401  registers what configs name
from mmseg_abnn.apis import add_common_arguments, enable_tta, load_config, show_pictures, test


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the config file')
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
    return parser.parse_args()


def main() -> None:
    """Test."""
    args = parse_args()
    cfg = load_config(args)
    if args.show or args.show_dir:
        show_pictures(cfg, args.show_dir, args.show, args.wait_time)
    if args.tta:
        enable_tta(cfg)
    test(cfg, args.checkpoint, args.out, args.out_format)


if __name__ == '__main__':
    main()
