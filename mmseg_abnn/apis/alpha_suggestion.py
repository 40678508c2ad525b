"""Suggesting a noise scale from a validation set, as ``mmseg-abnn suggest-alpha`` does."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import ProgressBar
from prettytable import PrettyTable

from ..evaluation.metrics.common.results import finite
from ..models.wrappers import unwrapped
from .alpha_search import AlphaRow, remarks, search_alphas, suggest_alpha
from .command_line import check_segmentor
from .data_checks import check_test_data
from .runner import load_runner

ALPHA_FILE = 'alpha.json'


def search_alpha(
    cfg: Config,
    checkpoint: str,
    alphas: Sequence[float] | None = None,
    max_loss: float = 0.5,
    images: int | None = None,
) -> float | None:
    """Measure noise scales on the validation set; print a table, and write ``alpha.json``.

    Args:
        cfg: The complete config of an ABNN, with ``work_dir`` to write to.
        checkpoint: Its checkpoint, or that of its base network.
        alphas: Noise scales > 0; None: the usual ones, and more where those do not do.
        max_loss: Accepted loss of mIoU in points, >= 0.
        images: Use the first images only; None: all.

    Returns:
        The scale that is suggested, or None if all lose more.

    Raises:
        ValueError: If the config has no ``val_dataloader`` or is a classifier's, or the checkpoint
            does not fit.
        FileNotFoundError: If there is no such checkpoint.
    """
    check_segmentor(cfg, 'suggest-alpha')
    if not cfg.get('val_dataloader'):
        raise ValueError('the config has no `val_dataloader`')
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    runner = load_runner(cfg, checkpoint)
    loader = runner.build_dataloader(cfg.val_dataloader)
    check_test_data(loader.dataset)
    count = min(len(loader), images or len(loader))

    def batches() -> Iterator[dict]:
        bar = ProgressBar(count)
        for batch in islice(loader, count):
            yield batch
            bar.update()
        print()

    rows = search_alphas(unwrapped(runner.model), batches, max_loss / 100, alphas)
    found = suggest_alpha(rows, max_loss / 100)
    said = remarks(rows, found, max_loss / 100)
    print(f'\n{_table(rows)}')
    os.makedirs(cfg.work_dir, exist_ok=True)
    path = os.path.join(cfg.work_dir, ALPHA_FILE)
    with open(path, 'w', encoding='utf-8') as file:
        result = {'suggested': found, 'remarks': said, 'rows': [asdict(row) for row in rows]}
        json.dump(finite(result), file, indent=2, allow_nan=False)
    print(f'Written: {path}')
    print(
        f'every alpha loses more than {max_loss} points of mIoU: try smaller ones (--alphas)'
        if found is None
        else f'suggested, for a loss of at most {max_loss} points: abnn.alpha={found:g}'
    )
    for remark in said:
        print(f'Note: {remark}')
    return found


def _table(rows: Sequence[AlphaRow]) -> PrettyTable:
    """Return the rows for people: percentages, NLL in nats."""
    table = PrettyTable(['alpha', 'mIoU', 'change', 'ECE', 'NLL'])
    table.align = 'r'
    for row in rows:
        name = 'the base network' if row.alpha is None else f'{row.alpha:g}'
        change = 100 * (row.miou - rows[0].miou)
        numbers = [f'{100 * row.miou:.2f}', f'{change:+.2f}', f'{100 * row.ece:.2f}']
        table.add_row([name, *numbers, f'{row.nll:.4f}'])
    return table
