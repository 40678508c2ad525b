"""StreetHazards, BDD-Anomaly and MUAD, as their authors distribute them."""

from __future__ import annotations

from collections.abc import Iterable

from mmseg_abnn.datasets import bdd_anomaly, muad, street_hazards
from mmseg_abnn.datasets.protocol import Protocol

from .description import Benchmark, ContentSplit, Place, Split


def _stored_ids(protocols: Iterable[Protocol]) -> tuple[int, ...]:
    """All ids that one of the protocols knows."""
    found: set[int] = set()
    for protocol in protocols:
        found.update(protocol.classes.values(), protocol.ood, protocol.ignored)
    return tuple(sorted(found))


def _street_hazards_split(name: str, part: str, folder: str, published: int) -> Split:
    return Split(
        name,
        published,
        images=(Place(f'{part}/images/{folder}', '.png'),),
        labels=(Place(f'{part}/annotations/{folder}', '.png'),),
    )


STREET_HAZARDS = Benchmark(
    name='street_hazards',
    title='StreetHazards',
    splits=(
        _street_hazards_split('train', 'train', 'training', 5125),
        _street_hazards_split('val', 'train', 'validation', 1031),
        _street_hazards_split('test', 'test', 'test', 1500),
    ),
    file_name='[^/]+/[^/]+',  # in a folder for each town
    stored_ids=_stored_ids([street_hazards.PROTOCOL]),
)


def _bdd_split(folder: str, published: int) -> Split:
    # BDD100K's own labels hold the train ids of Cityscapes; with 2 added, 255 becomes 1
    return Split(
        folder,
        published,
        images=(
            Place(f'seg/images/{folder}', '.jpg'),
            Place(f'images/10k/{folder}', '.jpg'),
        ),
        labels=(
            Place(f'seg/train_labels/{folder}', '_train_id.png'),
            Place(f'seg/labels/{folder}', '_train_id.png', id_shift=2),
            Place(f'labels/sem_seg/masks/{folder}', '.png', id_shift=2),
        ),
    )


_BDD_LISTS = {
    'lpbnn': {'train': 6688, 'val': 951, 'test': 361},
    'hendrycks': {'train': 6280, 'val': 910, 'test': 810},
}
BDD_ANOMALY = Benchmark(
    name='bdd_anomaly',
    title='BDD-Anomaly',
    splits=(_bdd_split('train', 7000), _bdd_split('val', 1000)),
    file_name='[^/]+',
    stored_ids=_stored_ids(bdd_anomaly.PROTOCOLS.values()),
    content_splits=tuple(
        ContentSplit(name, protocol.ood, _BDD_LISTS[name])
        for name, protocol in bdd_anomaly.PROTOCOLS.items()
    ),
    unlabeled_images=True,
)


def _muad_split(name: str, published: int, *other_names: str) -> Split:
    folders = (name, *other_names)
    return Split(
        name,
        published,
        images=tuple(Place(f'{folder}/leftImg8bit', '_leftImg8bit.png') for folder in folders),
        labels=tuple(Place(f'{folder}/leftLabel', '_leftLabel.png') for folder in folders),
        optional=name.endswith('_adv'),
    )


MUAD = Benchmark(
    name='muad',
    title='MUAD',
    splits=(
        _muad_split('train', 3420),
        _muad_split('val', 492),
        _muad_split('test_id', 551, 'test'),
        _muad_split('test_ood', 1668, 'ood'),
        _muad_split('test_id_low_adv', 605),
        _muad_split('test_id_high_adv', 602),
        _muad_split('test_ood_low_adv', 1552),
        _muad_split('test_ood_high_adv', 1421),
    ),
    file_name='[0-9]+',
    stored_ids=_stored_ids(muad.PROTOCOLS.values()),
)
