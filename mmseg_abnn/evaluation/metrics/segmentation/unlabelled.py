"""Images without labels: nothing of them is measured, and what was predicted can be saved."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..common.results import Row

NO_LABELS = (
    'no labels: mIoU, aAcc, ECE, MCE, NLL, Brier, AURC, AUPR, AUROC and FPR95 are not measured'
)

_OF_LABELLED = 'num_id'  # what the rows of images with labels have


def has_labels(sample: Mapping[str, Any], rows: Sequence[Row]) -> bool:
    """Tell whether a data sample holds labels.

    Args:
        sample: The data sample.
        rows: Those of the images before it, which must be as it is.

    Raises:
        ValueError: If it has labels that were not loaded, or only some images have labels.
    """
    found = 'gt_sem_seg' in sample
    if not found and sample.get('seg_map_path'):
        raise ValueError(
            f'its label {sample["seg_map_path"]} was not loaded, the data sample has no '
            '`gt_sem_seg`: the test pipeline needs a LoadAnnotations'
        )
    if rows and found is not labelled(rows[:1]):
        have, first = ('labels', 'none') if found else ('no labels', 'some')
        raise ValueError(
            f'the image has {have} (`gt_sem_seg`), and {rows[0]["img_path"]} has {first}: test '
            'images with labels and images without in two runs'
        )
    return found


def labelled(rows: Sequence[Row]) -> bool:
    """Tell whether rows are those of images with labels; no row tells that there are some.

    Raises:
        ValueError: If only some images have labels.
    """
    without = [row['img_path'] for row in rows if _OF_LABELLED not in row]
    if without and len(without) < len(rows):
        raise ValueError(
            f'{len(without)} of {len(rows)} images have no labels, the first is {without[0]}: test '
            'images with labels and images without in two runs'
        )
    return not without
