"""Predictions are found and read as they were saved."""

import numpy as np
import pytest
import torch

from mmseg_abnn.evaluation.saved_predictions import find_saved, read_saved, save_maps


@pytest.fixture
def classes():
    return np.random.default_rng(0).integers(0, 256, (3, 5))


@pytest.mark.parametrize('split', ['test_ood', None])
def test_there_and_back(split, classes, tmp_path):
    maps = {name: np.random.rand(3, 5).astype(np.float32) for name in ('msp', 'a_b')}
    save_maps(tmp_path, 'data/x/town/000001.png', split, classes, maps)
    for other in ('data/x/000001.png', 'data/x/town/000001_2.png', 'data/x/town/00000.png'):
        save_maps(tmp_path, other, split, classes * 0, {n: 0 * v for n, v in maps.items()})
    path = find_saved(tmp_path, 'data/x/town/000001.png', split)
    assert path == tmp_path.joinpath(*([split] if split else []), 'town', '000001')
    found = read_saved(path, ('msp', 'a_b'))
    np.testing.assert_array_equal(found['pred_sem_seg']['data'], classes)
    assert found['uncertainty'].keys() == maps.keys()
    for name, values in maps.items():
        np.testing.assert_array_equal(found['uncertainty'][name], values)
    assert find_saved(tmp_path, 'data/x/town/000003.png', split) is None


def test_a_class_that_does_not_fit(classes, tmp_path):
    with pytest.raises(ValueError, match='a class id of 256 does not fit into an 8-bit PNG'):
        save_maps(tmp_path, 'a/b.png', None, classes + 256 - classes.max(), {})
    assert not list(tmp_path.rglob('*.png'))


def test_class_ids_of_the_challenge_that_are_no_integers(tmp_path):
    content = {'conf': torch.rand(3, 5), 'pred': torch.full((3, 5), 1.7)}
    torch.save(content, tmp_path / '000001.pth')
    with pytest.raises(
        ValueError, match=r'000001.pth: `pred` must hold integers, got torch.float32'
    ):
        read_saved(tmp_path / '000001', ('msp',))
