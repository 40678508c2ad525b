"""Suggest the noise scale alpha of an ABNN from a validation set, which needs no OOD objects.

More noise finds OOD objects better and costs segmentation. Given how much mIoU may be lost, this
measures several alphas on the images of `val_dataloader` and names the largest one that keeps to
it; where all or none of the usual ones do, it goes on with larger or smaller ones. CHECKPOINT is an
ABNN's abnn.pth, or the network that it is to be made from: fine-tuning wins back a part of the
loss, so what is suggested then is on the safe side.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice

from mmengine.registry import init_default_scope
from mmengine.utils import ProgressBar
from prettytable import PrettyTable

import mmseg_abnn  # noqa: F401  registers what configs name
from mmseg_abnn.apis import add_common_arguments, check_segmentor, load_config, load_runner
from mmseg_abnn.apis.alpha_search import AlphaRow, remarks, search_alphas, suggest_alpha
from mmseg_abnn.apis.data_checks import check_test_data
from mmseg_abnn.models.wrappers import unwrapped


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='the config of the ABNN')
    parser.add_argument('checkpoint', help='its checkpoint, or that of its base network')
    add_common_arguments(parser)
    parser.add_argument(
        '--max-loss', type=float, default=0.5, help='accepted loss of mIoU in points (0.5)'
    )
    parser.add_argument(
        '--alphas', type=float, nargs='+', help='noise scales to try, in place of the usual ones'
    )
    parser.add_argument('--images', type=int, help='use the first images only')
    args = parser.parse_args()
    for name, wrong in (
        ('--max-loss', args.max_loss < 0),
        ('--alphas', args.alphas is not None and min(args.alphas) <= 0),
        ('--images', args.images is not None and args.images < 1),
    ):
        if wrong:
            parser.error(f'{name} is too small')
    return args


def table_of(rows: list[AlphaRow]) -> PrettyTable:
    """Return the rows for people: percentages, NLL in nats."""
    table = PrettyTable(['alpha', 'mIoU', 'change', 'ECE', 'NLL'])
    table.align = 'r'
    for row in rows:
        name = 'the base network' if row.alpha is None else f'{row.alpha:g}'
        change = 100 * (row.miou - rows[0].miou)
        numbers = [f'{100 * row.miou:.2f}', f'{change:+.2f}', f'{100 * row.ece:.2f}']
        table.add_row([name, *numbers, f'{row.nll:.4f}'])
    return table


def main() -> None:
    """Measure and suggest."""
    args = parse_args()
    cfg = load_config(args)
    check_segmentor(cfg, 'suggest_alpha.py')
    if not cfg.get('val_dataloader'):
        raise ValueError('the config has no `val_dataloader`')
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    runner = load_runner(cfg, args.checkpoint)
    loader = runner.build_dataloader(cfg.val_dataloader)
    check_test_data(loader.dataset)
    number = min(len(loader), args.images or len(loader))

    def batches() -> Iterator[dict]:
        bar = ProgressBar(number)
        for batch in islice(loader, number):
            yield batch
            bar.update()
        print()

    max_loss = args.max_loss / 100
    rows = search_alphas(unwrapped(runner.model), batches, max_loss, args.alphas)
    found = suggest_alpha(rows, max_loss)
    said = remarks(rows, found, max_loss)
    print(f'\n{table_of(rows)}')
    os.makedirs(cfg.work_dir, exist_ok=True)
    path = os.path.join(cfg.work_dir, 'alpha.json')
    with open(path, 'w', encoding='utf-8') as file:
        result = {'suggested': found, 'remarks': said, 'rows': [asdict(row) for row in rows]}
        json.dump(result, file, indent=2)
    print(f'Written: {path}')
    print(
        f'every alpha loses more than {args.max_loss} points of mIoU: try smaller ones (--alphas)'
        if found is None
        else f'suggested, for a loss of at most {args.max_loss} points: abnn.alpha={found:g}'
    )
    for remark in said:
        print(f'Note: {remark}')
    if found is None:
        sys.exit(1)


if __name__ == '__main__':
    main()
