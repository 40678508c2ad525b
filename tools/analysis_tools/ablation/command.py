"""Measure what each setting of an ABNN does: variants of its config, each over several seeds.

LIST is a config file that names the variants in groups, for instance
configs/ablation/mini_streets.py; ablation/reading.py beside this tool says what it may hold. Each
variant is fine-tuned by tools/train.py and tested by tools/test.py with each seed. What was
finished before with the same settings is kept, so a run can be interrupted. The numbers are stored
as JSON after each test; --render makes the page and its plots of them, and runs nothing.
"""

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

import mmseg_abnn  # noqa: F401  registers what configs name
from mmseg_abnn.package_configs import find_config
from mmseg_abnn.parsers import CommandParser

from .bench import Bench
from .page import write_page
from .quick import make_small
from .reading import check_files, read_ablation
from .results import Results, load_results, save_results
from .summary import summarize_group
from .tables import EXPLANATION, text_tables
from .variants import Ablation, Group, variants_of

TOOLS = Path(__file__).resolve().parents[2]
LIST = 'configs/ablation/mini_streets.py'


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = CommandParser(description=__doc__)
    parser.add_argument(
        'list', nargs='?', default=LIST, help=f'the list of variants, a config file ({LIST})'
    )
    parser.add_argument(
        '--out', type=Path, help='the folder to work in; work_dirs/ablation/<name of LIST> without'
    )
    parser.add_argument('--seeds', nargs='+', type=int, help="seeds in place of the list's")
    parser.add_argument('--groups', nargs='+', metavar='NAME', help='run these groups only')
    parser.add_argument(
        '--results', type=Path, help='the stored numbers; docs/ablation/<name of LIST>.json without'
    )
    parser.add_argument('--page', type=Path, help='the page to render; docs/ablation.md without')
    parser.add_argument(
        '--render', action='store_true', help='render the page of the stored numbers, run nothing'
    )
    parser.add_argument(
        '--quick',
        action='store_true',
        help='try everything: a few rendered images, one iteration, one seed; all is written to '
        'the folder to work in, work_dirs/ablation/<name of LIST>_quick without --out',
    )
    args = parser.parse_args()
    if args.quick and args.render:
        parser.error('--quick renders its own page: leave --render out')
    name = Path(args.list).stem
    folder = Path('work_dirs', 'ablation')
    args.out = args.out or folder / (f'{name}_quick' if args.quick else name)
    places = (args.out, args.out) if args.quick else (Path('docs'), Path('docs', 'ablation'))
    args.page = args.page or places[0] / 'ablation.md'
    args.results = args.results or places[1] / f'{name}.json'
    return args


def render(ablation: Ablation, results: Results, args: argparse.Namespace) -> None:
    """Write the page and its plots."""
    pictures = args.results.with_suffix('')
    for path in write_page(args.page, pictures, ablation, results):
        print(f'Written: {path}')


def describe(ablation: Ablation) -> dict[str, Any]:
    """Return what all variants have in common, for the stored results."""
    cfg = Config.fromfile(find_config(ablation.config)).to_dict()
    section = {key: value for key, value in (cfg.get('abnn') or {}).items() if key != 'seed'}
    return {
        'title': ablation.title,
        'config': ablation.config,
        'base': ablation.base,
        'data_root': ablation.data_root,
        'split': ablation.split,
        'reference': section | {'test_cfg': cfg['model'].get('test_cfg')},
        'train': dict(ablation.train),
        'test': dict(ablation.test),
    }


def run(ablation: Ablation, groups: Sequence[Group], args: argparse.Namespace) -> Results:
    """Measure the variants of groups, and store what was measured after each test."""
    bench = Bench(ablation, args.out, TOOLS)
    print('Reading the configs of all variants', flush=True)
    settings = {
        variant.key: {**variant.settings(), 'fingerprint': bench.fingerprint(variant).test}
        for variant in variants_of(ablation.groups)
    }
    results = load_results(args.results)
    outdated = results.drop_outdated(settings)
    if outdated:
        print(f'Stored with other settings than now, and dropped: {", ".join(outdated)}')
    results.facts = describe(ablation)
    chosen = [(variant, seed) for seed in ablation.seeds for variant in variants_of(groups)]
    for i, (variant, seed) in enumerate(chosen):
        print(f'\n=== {i + 1} of {len(chosen)}: {variant.key}, seed {seed}', flush=True)
        numbers = bench.measure(variant, seed)
        results.add(variant.key, settings[variant.key], seed, numbers)
        save_results(args.results, results)
    return results


def main() -> None:
    """Run the ablation, or render what was measured."""
    args = parse_args()
    ablation = read_ablation(args.list, args.seeds)
    groups = ablation.choose(args.groups)
    if args.render:
        render(ablation, load_results(args.results), args)
        return
    if args.quick:
        ablation = make_small(ablation, args.out, TOOLS)
    check_files(ablation)
    results = run(ablation, groups, args)
    for group in groups:
        rows, _ = summarize_group(group, results)
        print(f'\n{group.title}: {group.question}\n\n{text_tables(rows)}')
    print(f'\n{textwrap.fill(EXPLANATION, 100)}\nStored: {args.results}')
    if args.quick:
        render(ablation, load_results(args.results), args)
