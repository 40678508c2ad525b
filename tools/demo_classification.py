"""Classification in small: train, make Bayesian, test and compare on handwritten digits.

The digits 0 to 7 that come with scikit-learn are the classes; 8 and 9, digits with shuffled pixels
and textures are out of distribution. Every stage is a command that a user could type; it is printed
before it runs. At the end stands a table: the deterministic network beside the ABNN made from it.
"""

import json
import os
import shutil
from pathlib import Path

from mmengine.config import Config
from prettytable import PrettyTable

import mmseg_abnn  # noqa: F401  prepares what configs inherit from
from demonstration import Stages
from mmseg_abnn.apis import read_metrics
from mmseg_abnn.compat import check_classification
from mmseg_abnn.evaluation.metrics.common.results import finite

# where tools and configs are; results go to the working directory
ROOT = Path(os.path.relpath(Path(__file__).resolve().parent.parent))
BASE = 'resnet18_digits'
ABNN = 'abnn_resnet18_digits'
OUT = 'work_dirs/demo_classification'
NAMES = {'deterministic': 'deterministic', 'abnn': 'ABNN'}
QUALITY = ('accuracy', 'NLL', 'ECE')
DETECTION = ('AUPR', 'AUROC', 'FPR95')


def config_file(name: str) -> str:
    """Return the path of a config."""
    return str(ROOT / f'configs/classification/{name}.py')


def run_stages() -> Stages:
    """Train both networks and test both."""
    stages = Stages()
    base, abnn = f'{OUT}/{BASE}', f'{OUT}/{ABNN}'
    checkpoint = f'{base}/{Path(Config.fromfile(config_file(ABNN)).load_from).name}'
    command = [str(ROOT / 'tools/train.py'), config_file(BASE), '--work-dir', base]
    stages.run('Train the deterministic network', command)
    command = [str(ROOT / 'tools/train.py'), config_file(ABNN), '--work-dir', abnn]
    command += ['--cfg-options', f'load_from={checkpoint}']
    stages.run('Fine-tune the members of the ABNN', command)
    for key, name, file in (
        ('deterministic', BASE, checkpoint),
        ('abnn', ABNN, f'{abnn}/abnn.pth'),
    ):
        command = [
            str(ROOT / 'tools/test.py'),
            config_file(name),
            file,
            '--work-dir',
            f'{OUT}/{key}',
        ]
        stages.run(f'Test: {NAMES[key]}', command)
    return stages


def comparison(results: dict[str, dict[str, float]]) -> str:
    """Return both tables as text: quality on the test images, and detection for each OOD set."""
    quality = PrettyTable(['method', *QUALITY])
    detection = PrettyTable(['OOD set', 'method', *DETECTION])
    for key, metrics in results.items():
        quality.add_row([NAMES[key], *(f'{metrics[name]:.3f}' for name in QUALITY)])
    sets = [name.rpartition('/')[0] for name in results['abnn'] if name.endswith('/num_images')]
    for ood in sets:
        for key, metrics in results.items():
            row = (f'{metrics[f"{ood}/{name}"]:.2f}' for name in DETECTION)
            detection.add_row([ood, NAMES[key], *row])
    return f'{quality}\n\n{detection}'


def main() -> None:
    """Run the demo."""
    check_classification()
    shutil.rmtree(OUT, ignore_errors=True)  # members of another base network
    stages = run_stages()
    out = Path(OUT)
    results = {key: read_metrics(out / key) for key in NAMES}
    table = comparison(results)
    report = {'results': results, 'seconds': stages.seconds}
    (out / 'results.json').write_text(json.dumps(finite(report), indent=2))
    (out / 'results.txt').write_text(f'{table}\n')
    print(f'\n{table}\n\n{stages.summary()}\n\nWritten: {OUT}/results.txt and results.json')


if __name__ == '__main__':
    main()
