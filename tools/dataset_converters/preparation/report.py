"""What a plan finds, for people: a table, and what is wrong."""

from __future__ import annotations

from prettytable import PrettyTable

from mmseg_abnn.datasets.file_checks import first_few

from .description import IMAGE, LABEL, Split
from .plan import ASIDE, Plan

_COLUMNS = ('split', 'images', 'labels', 'published', 'to write', 'already there')


def describe(plan: Plan) -> str:
    """Return a table of the splits, and what else is worth knowing.

    Args:
        plan: The plan.

    Returns:
        Lines of text; the last one says how much is to be written.
    """
    table = PrettyTable(_COLUMNS)
    table.align = 'r'
    table.align['split'] = 'l'
    to_write = set(plan.to_write)
    for split in plan.benchmark.splits:
        targets = [plan.targets(split, kind) for kind in (IMAGE, LABEL)]
        counts: list[int | str] = [len(found) for found in targets]
        if not any(counts):
            counts = ['-', '-'] if split.optional else ['missing', 'missing']
        files = [target for found in targets for target in found.values()]
        new = sum(target in to_write for target in files)
        table.add_row([split.name, *counts, split.published, new, len(files) - new])
    lines = [f'{plan.benchmark.title} in {plan.out}', table.get_string()]
    missing = [split.name for split in missing_splits(plan)]
    if missing:
        lines.append(f'missing: {", ".join(missing)}')
    if plan.unused:
        names = ', '.join(str(path) for path in plan.unused)
        lines.append(f'nothing of {plan.benchmark.title} in {names}')
    if plan.unlabeled:
        lines.append(f'{plan.unlabeled} images without a label are not taken')
    if plan.aside:
        lines.append(f'{len(plan.aside)} broken pairs were set aside in {plan.out / ASIDE}')
    size = sum(plan.entries[target].size for target in plan.to_write)
    lines.append(f'to write: {len(plan.to_write)} files, {size} bytes ({size / 1e9:.2f} GB)')
    return '\n'.join(lines)


def missing_splits(plan: Plan) -> list[Split]:
    """Return the splits that most people need and nothing was found of."""
    return [
        split
        for split in plan.benchmark.splits
        if not (split.optional or plan.number_aside(split))
        and not any(plan.targets(split, kind) for kind in (IMAGE, LABEL))
    ]


def find_problems(plan: Plan, partial: bool) -> list[str]:
    """Return what does not fit together.

    Args:
        plan: The plan.
        partial: Whether a split may hold another number of images than was published.

    Returns:
        One sentence for each problem.
    """
    problems = []
    for split in plan.benchmark.splits:
        images, labels = plan.targets(split, IMAGE), plan.targets(split, LABEL)
        for have, lack, what in (
            (images, labels, 'image(s) without a label'),
            (labels, images, 'label(s) without an image'),
        ):
            alone = [have[name] for name in sorted(have.keys() - lack.keys())]
            if alone:
                problems.append(f'{split.name}: {len(alone)} {what}: {first_few(alone, ", ")}')
        number = len(images.keys() & labels.keys()) + plan.number_aside(split)
        if number and number != split.published and not partial:
            problems.append(
                f'{split.name}: {number} images with labels, but {split.published} were published '
                '(--partial allows that)'
            )
    return problems
