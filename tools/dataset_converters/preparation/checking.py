"""Opening every prepared file once: what is broken, and what the labels hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mmengine.utils import ProgressBar
from PIL import ImageFile

from mmseg_abnn.datasets.file_checks import PairFacts, first_few, inspect_pairs

from .description import IMAGE, LABEL
from .plan import ASIDE, Plan
from .writing import whole_file

BROKEN = 'broken.txt'
"""List, in the folder that is prepared, of all broken files."""


@dataclass(frozen=True)
class CheckedPair:
    """An image and its label after they were opened.

    Attributes:
        split: Name of the split.
        image: Path of the image, in the folder that is prepared.
        label: Path of the label.
        aside: Whether an earlier run set the pair aside.
        facts: What was found.
    """

    split: str
    image: str
    label: str
    aside: bool
    facts: PairFacts


def check_files(plan: Plan, workers: int | None) -> tuple[list[CheckedPair], list[CheckedPair]]:
    """Open all images and labels of a plan whose files are written.

    Args:
        plan: The plan.
        workers: Number of threads; None lets Python choose.

    Returns:
        The right pairs, and the others: the broken ones, and those that were set aside.
    """
    pairs = [
        (split.name, image, label, False)
        for split in plan.benchmark.splits
        for image, label in plan.pairs(split)
    ]
    pairs += [(pair[0], aside[IMAGE], aside[LABEL], True) for pair, aside in plan.aside.items()]
    files = []
    for _, image, label, aside in pairs:
        folder = plan.out / ASIDE if aside else plan.out
        files.append((folder / image, folder / label))
    bar = ProgressBar(len(files))
    right: list[CheckedPair] = []
    wrong: list[CheckedPair] = []
    with _nothing_filled_up():
        found = inspect_pairs(files, plan.benchmark.stored_ids, True, workers)
        for pair, facts in zip(pairs, found, strict=True):
            checked = CheckedPair(*pair, facts)
            (wrong if facts.problem or checked.aside else right).append(checked)
            bar.update()
    print()
    return right, wrong


def describe_broken(pair: CheckedPair) -> str:
    """Name the file that is broken, and what is wrong with it."""
    file = pair.image if pair.facts.wrong_image else pair.label
    return f'{file}: {pair.facts.problem or "was set aside"}'


def settle_broken(plan: Plan, wrong: list[CheckedPair], skip_broken: bool) -> None:
    """Write the list of broken files, and refuse them or set them aside.

    Args:
        plan: The plan.
        wrong: What :func:`check_files` found.
        skip_broken: Whether to set them aside.

    Raises:
        ValueError: If there are broken files and they are not to be set aside.
    """
    lines = sorted(describe_broken(pair) for pair in wrong)
    listed = plan.out / BROKEN
    listed.unlink(missing_ok=True)
    if lines:
        with whole_file(listed) as part:
            part.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')
    new = [pair for pair in wrong if not pair.aside]
    if new and not skip_broken:
        for pair in new:  # once the source is mended, they are to be made anew
            for target in (pair.image, pair.label):
                if not plan.is_in_place(target):
                    (plan.out / target).unlink(missing_ok=True)
        raise ValueError(
            f'{len(new)} pair(s) are broken, all are listed in {listed} (--skip-broken sets them '
            f'aside): {first_few(sorted(describe_broken(pair) for pair in new))}'
        )
    for pair in new:
        for target in (pair.image, pair.label):
            (plan.out / ASIDE / target).parent.mkdir(parents=True, exist_ok=True)
            (plan.out / target).replace(plan.out / ASIDE / target)


@contextmanager
def _nothing_filled_up() -> Iterator[None]:
    """Let Pillow raise for an image that is cut off, whatever a library told it."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
