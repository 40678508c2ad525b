"""Compare methods on one dataset: segmentation, calibration, OOD detection and what they cost.

LIST is a config file that names the methods, their checkpoints and the seeds, for instance
configs/compare/mini_streets.py; comparison/reading.py beside this tool says what it may hold. Each
method is tested with each seed by tools/test.py; tests that were finished before are not repeated.
The table shows means over the seeds and their standard errors.
"""

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path

import mmseg_abnn  # noqa: F401  registers what configs name
from comparison import (
    Measured,
    Run,
    TrainingCost,
    carry_out,
    explain,
    finished_metrics,
    measure_prediction_times,
    plan_run,
    read_comparison,
    read_storage,
    summarize,
    text_tables,
    training_cost,
    write_comparison,
)
from mmseg_abnn.parsers import CommandParser

TEST_TOOL = Path(__file__).resolve().parents[1] / 'test.py'


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = CommandParser(description=__doc__)
    parser.add_argument('list', help='the list of methods, a config file')
    parser.add_argument(
        '--out', help='the folder to write to; work_dirs/compare/<name of LIST> without it'
    )
    parser.add_argument('--seeds', nargs='+', type=int, help="seeds in place of the list's")
    parser.add_argument(
        '--images', type=int, default=5, help='how many images the prediction time is measured on'
    )
    args = parser.parse_args()
    if args.images < 1:
        parser.error(f'--images must be at least 1, got {args.images}')
    return args


def run_tests(runs: Sequence[Run]) -> dict[str, dict[int, dict[str, float]]]:
    """Run the tests that are not finished yet; return the numbers of all, by method and seed."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    for i, run in enumerate(runs):
        metrics = finished_metrics(run)
        state = 'test' if metrics is None else 'finished before'
        name = run.method.name
        print(f'\n=== {i + 1} of {len(runs)}: {name}, seed {run.seed}: {state}', flush=True)
        if metrics is None:
            metrics = carry_out(run, TEST_TOOL)
        found.setdefault(name, {})[run.seed] = metrics
    return found


def measure_training(runs: Sequence[Run]) -> dict[str, dict[int, dict[str, TrainingCost]]]:
    """Return what each work dir of each method and seed has cost."""
    work_dirs = {work_dir for run in runs for work_dir in run.method.trained_in}
    costs = {work_dir: training_cost(work_dir) for work_dir in sorted(work_dirs)}
    found: dict[str, dict[int, dict[str, TrainingCost]]] = {}
    for run in runs:
        of_run = {work_dir: costs[work_dir] for work_dir in run.method.trained_in}
        found.setdefault(run.method.name, {})[run.seed] = of_run
    return found


def main() -> None:
    """Compare."""
    args = parse_args()
    comparison = read_comparison(args.list, args.seeds)
    out = Path(args.out or Path('work_dirs', 'compare', Path(args.list).stem))
    runs = [plan_run(m, seed, out) for m in comparison.methods for seed in comparison.seeds]
    first = {run.method.name: run for run in runs if run.seed == comparison.seeds[0]}
    metrics = run_tests(runs)
    print('\n=== Costs', flush=True)
    training = measure_training(runs)
    configs = {name: run.cfg for name, run in first.items()}
    times = measure_prediction_times(configs, args.images, out / 'prediction_time')
    measured = {
        name: Measured(
            metrics=metrics[name],
            training=training[name],
            storage=read_storage(run.method.checkpoint),
            seconds_per_image=times.seconds[name],
        )
        for name, run in first.items()
    }
    rows = summarize(comparison, measured)
    notes = write_comparison(out, comparison, measured, rows, times)
    explanation = textwrap.fill(explain(comparison, times), 100)
    print(f'\n{comparison.title}\n\n{text_tables(rows)}\n\n{explanation}')
    for note in notes:
        print(f'- {note}')
    print(f'Written: {out}/compare.json, .csv, .md, cost_vs_aupr.png')


if __name__ == '__main__':
    main()
