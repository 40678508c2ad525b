"""``suggest-alpha`` and ``merge``: what belongs to members before and after their training."""

import argparse
import os
import sys

from ..parsers import add_common_arguments, number
from .networks import CONFIG_HELP
from .subcommand import Subcommand


def _add_suggest_alpha_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', help=f'of the ABNN: {CONFIG_HELP}')
    parser.add_argument('checkpoint', help='its checkpoint, or that of its base network')
    add_common_arguments(parser)
    parser.add_argument(
        '--max-loss',
        type=number(float, 0),
        default=0.5,
        help='accepted loss of mIoU in points (0.5)',
    )
    parser.add_argument(
        '--alphas',
        type=number(float, 0, without=True),
        nargs='+',
        help='noise scales to try, in place of the usual ones',
    )
    parser.add_argument('--images', type=number(int, 1), help='use the first images only')


def _suggest_alpha(args: argparse.Namespace) -> None:
    from ..apis import load_config
    from ..apis.alpha_suggestion import search_alpha

    cfg = load_config(args, analysis='suggest_alpha')
    found = search_alpha(cfg, args.checkpoint, args.alphas, args.max_loss, args.images)
    if found is None:
        sys.exit(1)


def _add_merge_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('base', help='the checkpoint that the members were fine-tuned from')
    parser.add_argument('members', nargs='+', help='member_<m>.safetensors, in their order')
    parser.add_argument('--out', required=True, help='the checkpoint to write, such as abnn.pth')


def _merge(args: argparse.Namespace) -> None:
    from ..apis.member_files import save_ensemble
    from ..checkpoint import BaseNetwork

    os.makedirs(os.path.dirname(os.path.abspath(args.out)), exist_ok=True)
    save_ensemble(args.out, BaseNetwork.read(args.base), args.members)
    print(f'The base network and its {len(args.members)} members: {args.out}')


SUGGEST_ALPHA = Subcommand(
    'suggest-alpha',
    """Suggest the noise scale alpha of an ABNN from a validation set.

The set needs no OOD objects. More noise finds OOD objects better and costs segmentation. Given how
much mIoU may be lost, this measures several alphas on the images of `val_dataloader` and names the
largest one that keeps to it; where all or none of the usual ones do, it goes on with larger or
smaller ones. CHECKPOINT is an ABNN's abnn.pth, or the network that it is to be made
from: fine-tuning wins back a part of the loss, so what is suggested then is on the safe side.
""",
    _add_suggest_alpha_arguments,
    _suggest_alpha,
)
MERGE = Subcommand(
    'merge',
    """Merge member files and the network they were fine-tuned from into one checkpoint.

For members that were fine-tuned by jobs of their own (`train CONFIG --member M`).
""",
    _add_merge_arguments,
    _merge,
)
