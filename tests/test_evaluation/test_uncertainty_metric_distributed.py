"""Two processes report what one process reports."""

import json

import torch.distributed as dist
import torch.multiprocessing as mp
from evaluation_samples import evaluate, make_evaluator, make_sample


def run_rank(rank, folder):
    """Measure the images that MMEngine's sampler gives to a rank; image 0 pads the second one."""
    dist.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2)
    evaluator = make_evaluator(collect_dir=f'{folder}/collect')
    for seed in ([0, 2, 4], [1, 3, 0])[rank]:
        evaluator.process([make_sample(seed)])
    result = evaluator.evaluate(5)
    with open(f'{folder}/{rank}.json', 'w') as file:
        json.dump(result, file)
    dist.destroy_process_group()


def test_two_processes_equal_one(tmp_path):
    mp.spawn(run_rank, args=(str(tmp_path),), nprocs=2)
    expected = evaluate([make_sample(seed) for seed in range(5)])
    for rank in range(2):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == expected
