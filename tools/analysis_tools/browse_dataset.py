"""Look at a dataset of a config before training: pictures of its labels, and what they hold.

A picture shows an image and, beside it, the image under its label; its legend names what is in it,
with shares of the pixels. OOD pixels are cyan, ignored ones dark with gray lines, and ids that
stand for nothing have red and white stripes. Labels are shown as they are stored, OOD pixels of a
training set too; with --augmented images and labels are shown as the pipeline delivers them.

--statistics counts all labels, too, and reports labels that cannot be read or hold ids that stand
for nothing; if there are any, or a picture cannot be made, the exit status is 1.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from mmengine.utils import ProgressBar
from mmengine.visualization import Visualizer
from mmseg.registry import DATASETS
from PIL import Image

import mmseg_abnn  # noqa: F401  registers what configs name
from mmseg_abnn.apis import CommandParser, add_common_arguments, check_segmentor, load_config
from mmseg_abnn.datasets.ood_ids import with_one_ood_id
from mmseg_abnn.datasets.output_names import output_names
from mmseg_abnn.datasets.parts import dataset_parts, skip_label_checks
from mmseg_abnn.datasets.statistics import count_labels
from mmseg_abnn.datasets.stored import read_scene, unpack
from mmseg_abnn.visualization.browse import label_picture, statistics_table

STATISTICS_FILE = 'statistics.json'


class Entry(NamedTuple):
    """A picture to make."""

    name: Path  # of the file, below --out and without suffix
    image: str  # the file that is shown
    load: Callable[[], tuple[np.ndarray, np.ndarray]]  # returns the image and its label
    meta: Mapping[str, Any]  # what the dataset says about its classes


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = CommandParser(description=__doc__)
    parser.add_argument('config', help='the config file')
    add_common_arguments(parser)
    parser.add_argument(
        '--split',
        choices=['train', 'val', 'test'],
        default='train',
        help='the dataloader whose dataset is shown',
    )
    parser.add_argument('--out', help='the folder to write to; <work-dir>/browse without it')
    parser.add_argument(
        '--number', type=int, default=20, help='how many images to show, evenly spaced'
    )
    parser.add_argument(
        '--augmented', action='store_true', help="show what the dataset's pipeline delivers"
    )
    parser.add_argument(
        '--show', action='store_true', help='show the pictures in a window, too; space: the next'
    )
    parser.add_argument(
        '--statistics', action='store_true', help='count the pixels of all labels, too'
    )
    args = parser.parse_args()
    if args.number < 1:
        parser.error(f'--number must be at least 1, got {args.number}')
    if args.show and pyplot.get_backend().lower() == 'agg':
        parser.error('--show needs a display')
    return args


def build_dataset(cfg: Config, split: str) -> Any:
    """Build the dataset of a dataloader; its labels are not checked, for all shall be seen."""
    loader = cfg.get(f'{split}_dataloader')
    if not loader:
        raise ValueError(f'the config has no `{split}_dataloader`')
    skip_label_checks(loader.dataset)
    return DATASETS.build(loader.dataset)


def check_parts(parts: Mapping[str, Any]) -> None:
    """Raise ValueError if a part has nothing to show."""
    for name, part in parts.items():
        if len(part) == 0:
            raise ValueError(f'{name} holds no image')
        if not part.metainfo.get('classes'):
            raise ValueError(f'the `metainfo` of {name} names no `classes`')


def write_statistics(parts: Mapping[str, Any], out: Path) -> bool:
    """Count the labels of all parts; return whether nothing is wrong with them."""
    found = {}
    for name, part in parts.items():
        print(f'{name}: counting {len(part):,} labels')
        found[name] = count_labels(part, ProgressBar(len(part)).update)
        print(f'\n{statistics_table(found[name])}')
    path = out / STATISTICS_FILE
    numbers = {name: statistics.as_dict() for name, statistics in found.items()}
    path.write_text(json.dumps(numbers, indent=2), encoding='utf-8')
    print(f'Statistics: {path}')
    return all(statistics.is_clean for statistics in found.values())


def evenly_spaced(total: int, number: int) -> list[int]:
    """Return at most ``number`` of the indices below ``total``, the first and the last of them."""
    return np.linspace(0, total - 1, min(number, total)).round().astype(int).tolist()


def stored_entries(parts: Mapping[str, Any]) -> list[Entry]:
    """Return an entry for every image of all parts, as it is stored."""
    entries = []
    for part_name, part in parts.items():
        images = [part.get_data_info(index)['img_path'] for index in range(len(part))]
        names, meta = output_names(images), part.metainfo
        entries += [
            Entry(Path(part_name, names[image]), image, partial(read_scene, part, index), meta)
            for index, image in enumerate(images)
        ]
    return entries


def augmented_entries(dataset: Any, stored: Iterable[Entry], number: int) -> Iterator[Entry]:
    """Yield entries of evenly spaced samples, as the pipeline delivers them."""
    names, meta = {entry.image: entry.name for entry in stored}, dataset.metainfo
    for index in evenly_spaced(len(dataset), number):
        image = dataset.get_data_info(index)['img_path']
        # a dataset that is repeated delivers an image more than once
        name = Path(f'{names[image]}_augmented_{index}')
        yield Entry(name, image, partial(delivered_scene, dataset, index), meta)


def delivered_scene(dataset: Any, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the image and the label that the network sees."""
    return unpack(dataset[index])


def write_pictures(entries: Iterable[Entry], out: Path, show: bool) -> bool:
    """Write, and show if wanted, the pictures; return whether all could be made."""
    visualizer = Visualizer('browse_dataset') if show else None
    done = failed = 0
    for name, _, load, meta in entries:
        try:
            image, labels = load()
        except ValueError as error:
            print(error, file=sys.stderr)
            failed += 1
            continue
        labels, ood_id = with_one_ood_id(labels, meta)
        picture = label_picture(image, labels, meta['classes'], meta['palette'], ood_id)
        path = out / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
        done += 1
        if visualizer is not None:
            visualizer.show(picture, win_name=str(name))
    print(f'{done} pictures: {out}' + (f'; {failed} could not be made' if failed else ''))
    return not failed


def main() -> None:
    """Count, if wanted, and draw."""
    args = parse_args()
    cfg = load_config(args)
    check_segmentor(cfg, 'browse_dataset.py')
    init_default_scope('mmseg')
    dataset = build_dataset(cfg, args.split)
    parts = dataset_parts(dataset, args.split)
    check_parts(parts)
    out = Path(args.out or os.path.join(cfg.work_dir, 'browse'))
    out.mkdir(parents=True, exist_ok=True)
    clean = write_statistics(parts, out) if args.statistics else True
    stored = stored_entries(parts)
    entries: Iterable[Entry]
    if args.augmented:
        set_random_seed((cfg.get('randomness') or {}).get('seed') or 0)
        entries = augmented_entries(dataset, stored, args.number)
    else:
        entries = [stored[index] for index in evenly_spaced(len(stored), args.number)]
    clean = write_pictures(entries, out, args.show) and clean
    if not clean:
        sys.exit(1)


if __name__ == '__main__':
    main()
