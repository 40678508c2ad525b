"""Small folders in the format of MiniStreets."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.sharing import made_once
from mini_streets import Settings, open_folder, write_images

COUNTS = {'train': 3, 'val': 1, 'test_id': 2, 'test_ood': 3}
SIZE = (64, 128)


@pytest.fixture(scope='session')
def rendered(tmp_path_factory) -> Path:
    """A folder with a few rendered images of every split."""

    def write(root):
        settings = Settings(seed=3, size=SIZE, counts=COUNTS)
        for _ in write_images(root, settings, open_folder(root, settings), workers=1):
            pass

    return made_once(tmp_path_factory, 'streets_of_datasets', write)


@pytest.fixture
def write_split(tmp_path) -> Callable[..., Path]:
    """Write a split by hand: label arrays in, data root out."""

    def write(labels: Mapping[str, np.ndarray], split: str = 'train') -> Path:
        for folder in ('leftImg8bit', 'leftLabel'):
            (tmp_path / split / folder).mkdir(parents=True, exist_ok=True)
        for name, label in labels.items():
            image = np.full((*label.shape[:2], 3), 128, dtype=np.uint8)
            Image.fromarray(image).save(
                tmp_path / split / 'leftImg8bit' / f'{name}_leftImg8bit.png'
            )
            Image.fromarray(label).save(tmp_path / split / 'leftLabel' / f'{name}_leftLabel.png')
        return tmp_path

    return write
