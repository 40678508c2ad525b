"""Merge whole networks, trained from different seeds, into one checkpoint: a Deep Ensemble.

Test it with a config of configs/deep_ensembles.
"""

import os

from mmseg_abnn.apis.member_files import save_networks
from mmseg_abnn.apis.origin import origin_of_networks
from mmseg_abnn.checkpoint import network_state, read_checkpoint
from mmseg_abnn.parsers import CommandParser


def main() -> None:
    """Merge."""
    parser = CommandParser(description=__doc__)
    parser.add_argument('checkpoints', nargs='+', help='checkpoints of one and the same config')
    parser.add_argument('--out', required=True, help='the checkpoint to write')
    args = parser.parse_args()
    if len(set(args.checkpoints)) < len(args.checkpoints):
        parser.error(f'a checkpoint is given twice: {" ".join(args.checkpoints)}')
    os.makedirs(os.path.dirname(os.path.abspath(args.out)), exist_ok=True)
    checkpoints = {path: read_checkpoint(path) for path in args.checkpoints}
    first = args.checkpoints[0]
    origin = origin_of_networks(checkpoints[first].get('meta') or {}, first)
    save_networks(args.out, {p: network_state(c) for p, c in checkpoints.items()}, origin)
    print(f'{len(args.checkpoints)} networks: {args.out}')


if __name__ == '__main__':
    main()
