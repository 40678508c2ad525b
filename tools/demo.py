"""The whole way on MiniStreets: render, train, make Bayesian, test, compare.

Every stage is a command that a user could type; it is printed before it runs. At the end stand a
table, a JSON file and a picture: the deterministic network beside the ABNN made from it.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmengine.config import Config

from demonstration import Stages, comparison_table
from mmseg_abnn.apis import expand_abnn_section, read_metrics
from mmseg_abnn.datasets import LoadOODAnnotations, MiniStreetsDataset
from mmseg_abnn.evaluation.metrics.common.results import finite
from mmseg_abnn.visualization import Scene, scene_figure

# where tools and configs are; data and results go to the working directory
ROOT = Path(os.path.relpath(Path(__file__).resolve().parent.parent))
BASE_CONFIG = ROOT / 'configs/deeplabv3plus/deeplabv3plus_r18-d8_mini_streets.py'
ABNN_CONFIG = ROOT / 'configs/abnn/deeplabv3plus_mini_streets.py'
DATA = 'data/mini_streets'
OUT = 'work_dirs/demo'
SCORES = ('msp', 'entropy')


def bfloat16_pays() -> bool:
    """Tell whether this machine convolves faster in bfloat16: many CPUs only emulate it."""
    if torch.cuda.is_available():
        return True
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        convolution = torch.nn.Conv2d(128, 128, 3, padding=1).to(dtype)
        image = torch.randn(4, 128, 32, 32, dtype=dtype)
        times = []
        for _ in range(8):
            start = time.perf_counter()
            convolution(image).sum().backward()
            times.append(time.perf_counter() - start)
        seconds[dtype] = float(np.median(times))
    return seconds[torch.bfloat16] < 0.8 * seconds[torch.float32]


def abnn_config() -> Config:
    """Read the config of the ABNN."""
    cfg = Config.fromfile(ABNN_CONFIG)
    expand_abnn_section(cfg)
    return cfg


def run_stages() -> Stages:
    """Render, train both networks and test both."""
    precision = ['--amp'] if bfloat16_pays() else []
    base_work_dir, abnn_work_dir = (f'work_dirs/{c.stem}' for c in (BASE_CONFIG, ABNN_CONFIG))
    base_checkpoint = abnn_config().load_from
    stages = Stages()
    stages.run('Render MiniStreets', [str(ROOT / 'tools/dataset_converters/mini_streets.py'), DATA])
    for title, config, work_dir in (
        ('Train the deterministic network', BASE_CONFIG, base_work_dir),
        ('Fine-tune the members of the ABNN', ABNN_CONFIG, abnn_work_dir),
    ):
        command = [str(ROOT / 'tools/train.py'), str(config), '--work-dir', work_dir, *precision]
        stages.run(title, command)
    for name, config, checkpoint in (
        ('deterministic', BASE_CONFIG, base_checkpoint),
        ('abnn', ABNN_CONFIG, f'{abnn_work_dir}/abnn.pth'),
    ):
        command = [
            str(ROOT / 'tools/test.py'),
            str(config),
            checkpoint,
            '--work-dir',
            f'{OUT}/{name}',
        ]
        command += ['--out', f'{OUT}/{name}/predictions']
        stages.run(f'Test: {name}', command)
    return stages


def load_scenes(count: int) -> list[Scene]:
    """Load the first OOD scenes with their labels and what both networks made of them."""
    dataset = MiniStreetsDataset(
        data_root=DATA, split='test_ood', check_labels=False, test_mode=True
    )
    load_labels = LoadOODAnnotations(keep_ood=True)
    scenes = []
    for index in range(min(count, len(dataset))):
        info = load_labels(dataset.get_data_info(index))
        image = Path(info['img_path'])

        def saved(network: str, suffix: str, image: Path = image) -> Path:
            folder = Path(OUT, network, 'predictions') / 'test_ood' / image.parent.name
            return folder / f'{image.stem}_{suffix}'

        scenes.append(
            Scene(
                image=mmcv.imread(image, channel_order='rgb'),
                labels=info['gt_seg_map'],
                prediction=mmcv.imread(saved('abnn', 'pred.png'), flag='unchanged'),
                maps={
                    'entropy, deterministic': np.load(saved('deterministic', 'entropy.npy')),
                    'entropy, ABNN': np.load(saved('abnn', 'entropy.npy')),
                },
                title=image.stem.split('_')[0],
            )
        )
    return scenes


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--scenes', type=int, default=6, help='how many OOD scenes the picture shows'
    )
    args = parser.parse_args()
    if args.scenes < 1:
        parser.error(f'--scenes must be at least 1, got {args.scenes}')
    stages = run_stages()

    out = Path(OUT)
    cfg = abnn_config()
    name = f'ABNN (M={cfg.num_members}, L={cfg.model.test_cfg.num_samples})'
    results = {
        method: read_metrics(out / folder)
        for method, folder in (('deterministic', 'deterministic'), (name, 'abnn'))
    }
    table = comparison_table(results, SCORES)
    report = {'results': results, 'seconds': stages.seconds}
    (out / 'results.json').write_text(json.dumps(finite(report), indent=2))
    (out / 'results.txt').write_text(f'{table}\n')
    meta: dict[str, Any] = MiniStreetsDataset.METAINFO
    figure = scene_figure(
        load_scenes(args.scenes), meta['classes'], meta['palette'], meta['ood_id']
    )
    figure.savefig(out / 'scenes.png', dpi=110)

    print(f'\n{table}\n\n{stages.summary()}\n\nWritten:')
    for file, what in (
        ('results.txt', 'the table'),
        ('results.json', 'the same in full precision, and the times'),
        ('scenes.png', 'OOD scenes: image, labels, prediction, uncertainty'),
        ('abnn/predictions', 'label maps and score maps of every test image'),
    ):
        print(f'  {OUT}/{file}: {what}')


if __name__ == '__main__':
    main()
