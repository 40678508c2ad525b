"""Any number of processes reports the same figures, bit for bit."""

import json
from multiprocessing import get_context
from pathlib import Path

import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.dataset import DefaultSampler

from helpers import classification_samples, evaluation_samples

WORLD_SIZES = (1, 2, 3)
SCORES = ('msp', 'mutual_information')
BATCH_SIZE = 2
# how many images there are: neither 2 nor 3 divides 5 or 13
NUM_SCENES = 5
IMAGES = {'': 6, 'svhn': 4, 'noise': 3}


def make_scenes():
    return [evaluation_samples.make_sample(seed) for seed in range(NUM_SCENES)]


def make_images():
    return classification_samples.make_images(IMAGES)


# the metric's samples, and the files that it writes
METRICS = {
    evaluation_samples: (
        make_scenes,
        ('report.json', 'per_image.csv', 'per_image.jsonl', 'per_class.csv'),
    ),
    classification_samples: (make_images, ('report.json', 'per_image.csv')),
}


def folder_of(root, helper, world_size):
    return Path(root, f'{helper.__name__}_{world_size}')


def run_rank(rank, root):
    """Evaluate by groups of one, two and three processes; this one is part of those it fits in."""
    for world_size in WORLD_SIZES[rank:]:
        store = f'file://{root}/store_{world_size}'
        dist.init_process_group('gloo', store, rank=rank, world_size=world_size)
        for helper, (make, _) in METRICS.items():
            run_metric(helper, make(), folder_of(root, helper, world_size), rank, world_size)
        dist.destroy_process_group()


def run_metric(helper, samples, folder, rank, world_size):
    evaluator = helper.make_evaluator(
        scores=SCORES, collect_dir=f'{folder}/collect', report_dir=f'{folder}/report'
    )
    indices = list(DefaultSampler(samples, shuffle=False))
    assert len(indices) == -(-len(samples) // world_size)  # with repeated images
    for start in range(0, len(indices), BATCH_SIZE):
        evaluator.process([samples[i] for i in indices[start : start + BATCH_SIZE]])
    result = evaluator.evaluate(len(samples))
    (folder / f'{rank}.json').write_text(json.dumps(result))


def test_any_number_of_processes_gives_the_same_bytes(tmp_path):
    # the processes are forked from one that has imported everything, and computed nothing
    modules = [module.__name__ for module in METRICS]
    get_context('forkserver').set_forkserver_preload(modules)
    mp.start_processes(run_rank, (str(tmp_path),), max(WORLD_SIZES), start_method='forkserver')
    for helper, (make, files) in METRICS.items():
        one = tmp_path / f'{helper.__name__}_alone'
        expected = helper.evaluate(make(), scores=SCORES, report_dir=str(one))
        assert expected['num_images'] == (6 if helper is classification_samples else NUM_SCENES)
        for world_size in WORLD_SIZES:
            folder = folder_of(tmp_path, helper, world_size)
            for rank in range(world_size):
                assert json.loads((folder / f'{rank}.json').read_text()) == expected, folder
            assert not (folder / f'{world_size}.json').exists()
            for name in files:
                found = (folder / 'report' / name).read_bytes()
                assert found == (one / name).read_bytes(), folder / name
