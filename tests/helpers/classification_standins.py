"""Small files of random images in the formats of classification's data sets."""

import pickle

import numpy as np
from PIL import Image
from scipy.io import savemat

WNIDS = ('n01440764', 'n01443537')


def colors(*shape, seed=0):
    """Return random uint8 of a shape."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_cifar10(root, train=10, test=10, seed=0):
    """Write CIFAR-10's Python version; the classes take turns.

    ``train`` is the number of images in each of the five files, ``test`` that in the sixth.
    """
    folder = root / 'cifar-10-batches-py'
    names = {f'data_batch_{i}': train for i in range(1, 6)} | {'test_batch': test}
    for number, (name, count) in enumerate(names.items()):
        labels = [i % 10 for i in range(count)]
        _write_pickle(folder / name, data=colors(count, 3072, seed=(seed, number)), labels=labels)
    _write_pickle(folder / 'batches.meta', label_names=[f'class {i}' for i in range(10)])
    return root


def write_cifar100(root, train=100, test=100, seed=0):
    """Write CIFAR-100's Python version; the classes take turns."""
    folder = root / 'cifar-100-python'
    for number, (name, count) in enumerate({'train': train, 'test': test}.items()):
        _write_pickle(
            folder / name,
            data=colors(count, 3072, seed=(seed, number)),
            fine_labels=[i % 100 for i in range(count)],
            coarse_labels=[i % 20 for i in range(count)],
        )
    _write_pickle(
        folder / 'meta',
        fine_label_names=[f'fine {i}' for i in range(100)],
        coarse_label_names=[f'coarse {i}' for i in range(20)],
    )
    return root


def lift_md5s(monkeypatch):
    """Let MMPretrain's CIFAR classes read other files than the published ones, in one test."""
    from mmpretrain.datasets import CIFAR10, CIFAR100

    for kind in (CIFAR10, CIFAR100):
        for lists in ('train_list', 'test_list'):
            monkeypatch.setattr(kind, lists, [[name, None] for name, _ in getattr(kind, lists)])
        monkeypatch.setattr(kind, 'meta', {**kind.meta, 'md5': None})


def write_svhn(root, split='test', count=10, seed=0):
    """Write a file of SVHN's format 2; the labels 1 to 10 take turns."""
    root.mkdir(parents=True, exist_ok=True)
    labels = np.arange(count, dtype=np.uint8)[:, None] % 10 + 1
    content = {'X': colors(32, 32, 3, count, seed=seed), 'y': labels}
    savemat(root / f'{split}_32x32.mat', content, do_compression=True)
    return root


def write_dtd(root, classes=('banded', 'polka-dotted'), count=2, partitions=(1,), size=(20, 16)):
    """Write DTD's images and lists.

    ``count`` is the number of a class's images in each of train, val and test, which the
    partitions choose differently; ``size`` is width and height.
    """
    for number, name in enumerate(classes):
        for image in range(3 * count):
            pixels = colors(size[1], size[0], 3, seed=(number, image))
            _write_image(root / 'images' / name / f'{name}_{image:04d}.jpg', pixels)
    (root / 'labels').mkdir(parents=True, exist_ok=True)
    for partition in partitions:
        for place, split in enumerate(('train', 'val', 'test')):
            lines = [
                f'{name}/{name}_{image:04d}.jpg\n'
                for name in classes
                for image in range(3 * count)
                if (image + partition) % 3 == place
            ]
            (root / 'labels' / f'{split}{partition}.txt').write_text(''.join(lines))
    return root


def write_imagenet(root, classes=WNIDS, train=2, val=2, size=(40, 32), meta=True):
    """Write ImageNet's folders.

    ``train`` and ``val`` are numbers of images of a class. With ``meta`` the images of val lie in
    one folder, and ``meta/{train,val}.txt`` hold the labels, which MMPretrain's ``ImageNet`` reads
    with any number of classes. Without, they lie in a folder of each class; MMPretrain then has
    to be told of as many ``classes``.
    """
    lists = {'train': [], 'val': []}
    for split, count in (('train', train), ('val', val)):
        for label, name in enumerate(classes):
            for image in range(count):
                path = f'{name}/{name}_{image}.JPEG'
                if split == 'val':
                    path = f'ILSVRC2012_val_{len(lists["val"]) + 1:08d}.JPEG'
                    path = path if meta else f'{name}/{path}'
                seed = (split == 'val', label, image)
                _write_image(root / split / path, colors(size[1], size[0], 3, seed=seed))
                lists[split].append(f'{path} {label}\n')
        if meta:
            (root / 'meta').mkdir(exist_ok=True)
            (root / 'meta' / f'{split}.txt').write_text(''.join(lists[split]))
    return root


def _write_pickle(path, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


def _write_image(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, 'JPEG')
