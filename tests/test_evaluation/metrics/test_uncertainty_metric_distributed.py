"""Any number of processes reports the same figures, bit for bit."""

import json

import pytest
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.dataset import DefaultSampler

from helpers.evaluation_samples import evaluate, make_evaluator, make_sample

NUM_IMAGES = 5  # which neither 2 nor 3 divides
FILES = ('report.json', 'per_image.csv', 'per_image.jsonl', 'per_class.csv')
SCORES = ('msp', 'mutual_information')


def run_rank(rank, world_size, folder):
    dist.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=world_size)
    evaluator = make_evaluator(
        scores=SCORES, collect_dir=f'{folder}/collect', report_dir=f'{folder}/report'
    )
    indices = list(DefaultSampler(range(NUM_IMAGES), shuffle=False))
    assert len(indices) == -(-NUM_IMAGES // world_size)  # with repeated images
    batch_size = 2
    for start in range(0, len(indices), batch_size):
        evaluator.process([make_sample(seed) for seed in indices[start : start + batch_size]])
    result = evaluator.evaluate(NUM_IMAGES)
    with open(f'{folder}/{rank}.json', 'w') as file:
        json.dump(result, file)
    dist.destroy_process_group()


@pytest.mark.parametrize('world_size', [2, 3])
def test_any_number_of_processes_gives_the_same_bytes(tmp_path, world_size):
    mp.spawn(run_rank, args=(world_size, str(tmp_path)), nprocs=world_size)
    samples = [make_sample(seed) for seed in range(NUM_IMAGES)]
    expected = evaluate(samples, scores=SCORES, report_dir=str(tmp_path / 'one'))
    for rank in range(world_size):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == expected
    for name in FILES:
        found = (tmp_path / 'report' / name).read_bytes()
        assert found == (tmp_path / 'one' / name).read_bytes(), name
