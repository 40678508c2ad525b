"""Merge member files and the network they were fine-tuned from into one checkpoint.

For members that were fine-tuned by jobs of their own (`tools/train.py CONFIG --member M`).
"""

import argparse
import os

from mmseg_abnn.apis.member_files import save_ensemble
from mmseg_abnn.checkpoint import BaseNetwork


def main() -> None:
    """Merge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('base', help='the checkpoint that the members were fine-tuned from')
    parser.add_argument('members', nargs='+', help='member_<m>.safetensors, in their order')
    parser.add_argument('--out', required=True, help='the checkpoint to write, such as abnn.pth')
    args = parser.parse_args()
    os.makedirs(os.path.dirname(os.path.abspath(args.out)), exist_ok=True)
    save_ensemble(args.out, BaseNetwork.read(args.base), args.members)
    print(f'The base network and its {len(args.members)} members: {args.out}')


if __name__ == '__main__':
    main()
