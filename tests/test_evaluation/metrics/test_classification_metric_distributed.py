"""Any number of processes reports the same figures, bit for bit."""

import json

import pytest
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.dataset import DefaultSampler

from helpers.classification_samples import evaluate, make_evaluator, make_images

SIZES = {'': 6, 'svhn': 4, 'noise': 3}  # 13 images, which neither 2 nor 3 divides
SCORES = ('msp', 'mutual_information')


def run_rank(rank, world_size, folder):
    dist.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=world_size)
    evaluator = make_evaluator(
        scores=SCORES, collect_dir=f'{folder}/collect', report_dir=f'{folder}/report'
    )
    samples = make_images(SIZES)
    indices = list(DefaultSampler(samples, shuffle=False))
    assert len(indices) == -(-len(samples) // world_size)  # with repeated images
    batch_size = 2
    for start in range(0, len(indices), batch_size):
        evaluator.process([samples[i] for i in indices[start : start + batch_size]])
    result = evaluator.evaluate(len(samples))
    with open(f'{folder}/{rank}.json', 'w') as file:
        json.dump(result, file)
    dist.destroy_process_group()


@pytest.mark.parametrize('world_size', [1, 2, 3])
def test_any_number_of_processes_gives_the_same_bytes(tmp_path, world_size):
    mp.spawn(run_rank, args=(world_size, str(tmp_path)), nprocs=world_size)
    expected = evaluate(make_images(SIZES), scores=SCORES, report_dir=str(tmp_path / 'one'))
    assert expected['num_images'] == 6
    for rank in range(world_size):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == expected
    for name in ('report.json', 'per_image.csv'):
        found = (tmp_path / 'report' / name).read_bytes()
        assert found == (tmp_path / 'one' / name).read_bytes(), name
