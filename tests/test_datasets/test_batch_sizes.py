"""Images of different sizes are not tested in one batch."""

import pytest
import torch

from mmseg_abnn.datasets.batch_sizes import check_equal_sizes

SMALL, LARGE = torch.zeros(3, 4, 5), torch.zeros(3, 6, 5)


@pytest.mark.parametrize(
    'batch',
    [
        None,
        dict(inputs=torch.zeros(2, 3, 4, 5)),
        dict(inputs=[]),
        dict(inputs=[SMALL, SMALL]),
        dict(inputs=[[SMALL, SMALL], [LARGE, LARGE]]),
    ],
)
def test_images_of_one_size(batch):
    check_equal_sizes(batch)


@pytest.mark.parametrize('inputs', [[SMALL, LARGE], [[SMALL, SMALL], [SMALL, LARGE]]])
def test_images_of_different_sizes(inputs):
    with pytest.raises(
        ValueError, match=r'different sizes \(4x5, 6x5; height x width\).*`batch_size=1`'
    ):
        check_equal_sizes(dict(inputs=inputs))
