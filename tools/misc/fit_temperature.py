"""Fit the temperature of a trained segmentor, or of an ABNN, on its validation set.

Prints T as the option of tools/test.py that predicts with it: of a plain network with its config of
configs/temperature_scaling, of an ABNN with its own. --out writes a config that inherits CONFIG and
has T and the --cfg-options in it.
"""

import argparse
import os
from typing import Any, cast

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import ProgressBar
from torch import Tensor

import mmseg_abnn  # noqa: F401  registers what configs name
from mmseg_abnn.apis import (
    CommandParser,
    add_common_arguments,
    check_segmentor,
    load_config,
    load_runner,
)
from mmseg_abnn.apis.abnn_settings import SECTION
from mmseg_abnn.apis.command_line import read_options
from mmseg_abnn.apis.config_parts import type_name
from mmseg_abnn.apis.data_checks import check_test_data
from mmseg_abnn.apis.derived_config import derived_text, value_of
from mmseg_abnn.datasets.batch_sizes import check_equal_sizes
from mmseg_abnn.evaluation.functional import (
    TEMPERATURE_LIMITS,
    fit_temperature,
    negative_log_likelihood,
)
from mmseg_abnn.models.segmentors import MonteCarloSegmentor
from mmseg_abnn.models.wrappers import unwrapped
from mmseg_abnn.package_configs import find_config


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = CommandParser(description=__doc__)
    parser.add_argument('config', help='the config of the network, or of the ABNN')
    parser.add_argument('checkpoint', help='its checkpoint')
    add_common_arguments(parser)
    parser.add_argument(
        '--pixels', type=int, default=2**20, help='about how many pixels of the set are used'
    )
    parser.add_argument('--out', help='the config file to write: CONFIG with this temperature')
    args = parser.parse_args()
    if args.pixels < 1:
        parser.error(f'--pixels must be at least 1, got {args.pixels}')
    return args


def choose(labels: Tensor, num_classes: int, number: int, seed: int) -> Tensor:
    """Choose labelled in-distribution pixels of an image at random; return their places.

    Args:
        labels: Of shape (H, W).
        num_classes: Labels below are classes.
        number: How many at most.
        seed: Seed of the choice.
    """
    places = np.flatnonzero((labels < num_classes).cpu().numpy())
    return torch.from_numpy(np.random.default_rng(seed).permutation(places)[:number])


def draw_logits(network: Any, batch: Any) -> tuple[list[float], list[Tensor], list[Tensor]]:
    """Predict a batch by each function of the network: one, or the draws of an ABNN.

    Returns:
        The weight of each function; for each image its logits by all of them, of shape (draws, C,
        H, W), and its label of shape (H, W).
    """
    check_equal_sizes(batch)
    data = network.data_preprocessor(batch, False)
    samples = data['data_samples']
    if isinstance(network, MonteCarloSegmentor):
        found = list(network.draw_logits(data['inputs'], samples))
        weights = [weight for weight, _ in found]
        logits = [
            torch.stack(drawn) for drawn in zip(*(images for _, images in found), strict=True)
        ]
    else:
        weights = [1.0]
        predicted = network.predict(data['inputs'], samples)
        logits = [sample.seg_logits.data[None] for sample in predicted]
    labels = [sample.gt_sem_seg.data[0] for sample in samples]
    for sample, label, values in zip(samples, labels, logits, strict=True):
        if label.shape != values.shape[2:]:
            raise ValueError(
                f'{sample.img_path}: the label is of shape {tuple(label.shape)}, the prediction of '
                f'{tuple(values.shape[2:])}'
            )
    return weights, logits, labels


def temperature_options(
    has_section: bool, monte_carlo: bool, temperature: float
) -> dict[str, str | float]:
    """Return the settings by which a config predicts with the temperature."""
    if has_section:
        return {f'{SECTION}.temperature': temperature}
    options: dict[str, str | float] = {'model.test_cfg.temperature': temperature}
    if not monte_carlo:
        options |= {'model.type': 'MCEncoderDecoder', 'model.test_cfg.draws': 'none'}
    return options


def write_config(args: argparse.Namespace, settings: dict[str, str | float]) -> None:
    """Write a config that inherits CONFIG, with the options of the command line and settings.

    Options that do not arrive, because the section sets them anew, are named.
    """
    options = read_options(args.cfg_options)
    os.makedirs(os.path.dirname(os.path.abspath(args.out)), exist_ok=True)
    with open(args.out, 'w', encoding='utf-8') as file:
        file.write(derived_text(args.config, options | settings, args.out))
    print(f'Written: {args.out}')
    written = {**vars(args), 'config': args.out, 'cfg_options': None}
    cfg, read = load_config(args), load_config(argparse.Namespace(**written))
    lost = [
        key
        for key in options
        if key.partition('.')[0] != SECTION
        and not key.endswith('.temperature')
        and value_of(read, key) != value_of(cfg, key)
    ]
    if lost:
        print(f'Give these options again, the section `{SECTION}` sets them: {", ".join(lost)}')


def mean_nll(logits: Tensor, labels: Tensor, weights: list[float], temperature: float) -> float:
    """Return the mean negative log-likelihood of the mean prediction, in nats."""
    shares = (torch.tensor(weights) / sum(weights)).log()[:, None, None]
    mean = ((logits / temperature).log_softmax(dim=2) + shares).logsumexp(dim=0)
    return float(negative_log_likelihood(mean, labels, dim=1).mean())


def main() -> None:
    """Fit."""
    args = parse_args()
    cfg = load_config(args, analysis='fit_temperature')
    check_segmentor(cfg, 'fit_temperature.py')
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    runner = load_runner(cfg, args.checkpoint)
    network = cast(Any, unwrapped(runner.model))
    monte_carlo = isinstance(network, MonteCarloSegmentor)
    if not monte_carlo and type_name(cfg.model) != 'EncoderDecoder':
        raise ValueError(
            '`model.type` must be EncoderDecoder, of which one forward pass gives the logits, or '
            f'that of an ABNN, got {type_name(cfg.model)!r}'
        )
    loader = runner.build_dataloader(cfg.val_dataloader)
    check_test_data(loader.dataset)
    images = len(loader.dataset)
    bar = ProgressBar(images)
    found: list[tuple[Tensor, Tensor]] = []
    for batch in loader:
        with torch.no_grad():
            weights, logits, labels = draw_logits(network, batch)
        # of several draws fewer pixels, so that they take no more memory
        number = max(1, args.pixels // images // len(weights))
        for values, label in zip(logits, labels, strict=True):
            places = choose(label, values.shape[1], number, seed=len(found)).to(values.device)
            chosen = values.flatten(2)[:, :, places].transpose(1, 2)
            found.append((chosen.cpu(), label.flatten()[places].cpu()))
            bar.update()
    all_logits = torch.cat([values for values, _ in found], dim=1)
    all_labels = torch.cat([label for _, label in found])
    if not len(all_labels):
        raise ValueError('no image of `val_dataloader` has a labelled in-distribution pixel')
    temperature = fit_temperature(all_logits, all_labels, weights)
    before, after = (mean_nll(all_logits, all_labels, weights, t) for t in (1.0, temperature))
    number = len(all_labels)
    print(f'\nNLL of {number:,} pixels: {before:.4f}, with T = {temperature:.4f}: {after:.4f}')
    if temperature in TEMPERATURE_LIMITS:
        raise ValueError(
            f'no T from {TEMPERATURE_LIMITS[0]} to {TEMPERATURE_LIMITS[1]:.0f} is best: all '
            'predictions are right, or they are no better than chance'
        )
    has_section = Config.fromfile(find_config(args.config)).get(SECTION) is not None
    place = SECTION if has_section else 'model.test_cfg'
    print(f'{place}.temperature={temperature:.6g}')
    if args.out:
        write_config(args, temperature_options(has_section, monte_carlo, temperature))


if __name__ == '__main__':
    main()
