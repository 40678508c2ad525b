"""Train a segmentor or classifier, or fine-tune the members of an ABNN."""

import argparse

import mmseg_abnn  # noqa: F401  registers what configs name
from mmseg_abnn.apis import add_common_arguments, enable_amp, load_config, train


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the config file')
    add_common_arguments(parser)
    parser.add_argument(
        '--resume',
        action='store_true',
        help='continue an interrupted training from the latest checkpoint in the work dir',
    )
    parser.add_argument(
        '--member', type=int, help='fine-tune this member only (job arrays); then merge_members.py'
    )
    parser.add_argument('--amp', action='store_true', help='train in automatic mixed precision')
    return parser.parse_args()


def main() -> None:
    """Train."""
    args = parse_args()
    cfg = load_config(args)
    cfg.resume = args.resume or bool(cfg.get('resume'))
    if args.amp:
        enable_amp(cfg)
    train(cfg, args.member)


if __name__ == '__main__':
    main()
