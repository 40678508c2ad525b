"""Small trees and archives in the formats of the benchmarks, written by hand."""

import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (8, 6)  # width, height
ARCHIVES = ('.tar', '.tar.gz', '.tgz', '.tar.bz2', '.tar.xz', '.zip')


def label(*ids, size=SIZE):
    """Return a label file that holds each of the ids."""
    file = io.BytesIO()
    array = np.resize(np.array(ids, np.uint8), (size[1], size[0]))
    Image.fromarray(array).save(file, 'PNG')
    return file.getvalue()


def image(seed=0, size=SIZE, kind='PNG'):
    """Return an image file of random colors."""
    file = io.BytesIO()
    colors = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3))
    Image.fromarray(colors.astype(np.uint8)).save(file, kind)
    return file.getvalue()


def street_hazards():
    """Return the files of a small StreetHazards: path to content."""
    files = {}
    for place, ids in (
        ('train/{}/training/t1-3/0.png', range(1, 14)),
        ('train/{}/training/t4/0.png', (1, 8)),
        ('train/{}/validation/t5/7.png', (1, 8)),
        ('test/{}/test/t6/3.png', (1, 8, 14)),
    ):
        files[place.format('images')] = image(len(files))
        files[place.format('annotations')] = label(*ids)
    return files


def muad(splits=('train', 'val', 'test_id', 'test_ood')):
    """Return the files of a small MUAD, one pair a split."""
    files = {}
    for number, split in enumerate(splits):
        files[f'{split}/leftImg8bit/{number:06d}_leftImg8bit.png'] = image(number)
        files[f'{split}/leftLabel/{number:06d}_leftLabel.png'] = label(0, 13, 19, 21, 255)
    return files


def bdd(images='seg/images', labels='seg/train_labels', suffix='_train_id.png', shift=2):
    """Return the files of a small BDD-Anomaly in one of its layouts.

    By Cityscapes' train ids: train, motorcycle and bicycle are 16, 17 and 18.
    """
    contents = {
        'train/a': (0, 13, 255),
        'train/b': (0, 18),  # a bicycle: OOD for hendrycks only
        'train/c': (0, 16),  # a train
        'val/d': (0, 10),
        'val/e': (0, 17, 18),  # a motorcycle, in the folder of validation images
        'val/f': (0, 18),
    }
    files = {}
    for number, (name, ids) in enumerate(contents.items()):
        files[f'{images}/{name}.jpg'] = image(number, kind='JPEG')
        files[f'{labels}/{name}{suffix}'] = label(*((i + shift) % 256 if shift else i for i in ids))
    return files


def write_tree(root, files):
    """Write files below a folder."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def write_archive(path, files, top=''):
    """Write an archive of the kind that its name says."""
    if path.name.endswith('.zip'):
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(top + name, content)
        return path
    kind = path.name.rsplit('.', 1)[1].replace('tgz', 'gz').replace('tar', '')
    with tarfile.open(path, f'w:{kind}') as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(top + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def read_tree(root):
    """Return the files below a folder: path to content."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(Path(root).rglob('*'))
        if path.is_file()
    }


def published(benchmark, lists=None, **counts):
    """Return a benchmark with other published numbers: one image a split unless told otherwise."""
    return replace(
        benchmark,
        splits=tuple(
            replace(split, published=counts.get(split.name, 1)) for split in benchmark.splits
        ),
        content_splits=tuple(
            replace(content, published=(lists or {}).get(content.name, content.published))
            for content in benchmark.content_splits
        ),
    )
