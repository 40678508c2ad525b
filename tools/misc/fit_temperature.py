"""Fit the temperature of a trained segmentor on its validation set (temperature scaling).

Prints T, and the option that tests the network with it:

    python tools/test.py configs/temperature_scaling/... CHECKPOINT --cfg-options \
        model.test_cfg.temperature=T

--out writes a config that has T in it.
"""

import argparse
import os

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmengine.utils import ProgressBar
from torch import Tensor

import mmseg_abnn  # noqa: F401  registers what configs name
from mmseg_abnn.apis import add_common_arguments, load_config, load_runner
from mmseg_abnn.evaluation.functional import (
    TEMPERATURE_LIMITS,
    fit_temperature,
    negative_log_likelihood,
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='the config of the deterministic network')
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


def choose(logits: Tensor, labels: Tensor, number: int, seed: int) -> tuple[Tensor, Tensor]:
    """Choose labelled in-distribution pixels of an image at random.

    Args:
        logits: Of shape (C, H, W).
        labels: Of shape (H, W).
        number: How many at most.
        seed: Seed of the choice.

    Returns:
        Logits of shape (pixels, C) and labels of shape (pixels,).
    """
    places = np.flatnonzero((labels < len(logits)).cpu().numpy())
    generator = np.random.default_rng(seed)
    chosen = torch.from_numpy(generator.permutation(places)[:number]).to(logits.device)
    return logits.flatten(1)[:, chosen].T.cpu(), labels.flatten()[chosen].cpu()


def write_config(path: str, config: str, temperature: float) -> None:
    """Write a config that inherits from ``config`` and predicts with the temperature."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(
            f'_base_ = {os.path.abspath(config)!r}\n'
            "model = dict(type='MCEncoderDecoder', "
            f'test_cfg=dict(num_samples=1, temperature={temperature!r}))\n'
            "custom_hooks = [dict(type='ABNNConversionHook', alpha=0.0)]\n"
        )
    print(f'Written: {path}')


def main() -> None:
    """Fit."""
    args = parse_args()
    cfg = load_config(args)
    if cfg.model.type != 'EncoderDecoder':
        raise ValueError(
            '`model.type` must be EncoderDecoder, of which one forward pass gives the logits, got '
            f'{cfg.model.type!r}'
        )
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    runner = load_runner(cfg, args.checkpoint)
    loader = runner.build_dataloader(cfg.val_dataloader)
    images = len(loader.dataset)
    bar = ProgressBar(images)
    found: list[tuple[Tensor, Tensor]] = []
    for batch in loader:
        with torch.no_grad():
            samples = runner.model.val_step(batch)
        for sample in samples:
            labels = sample.gt_sem_seg.data[0].to(sample.seg_logits.data.device)
            if labels.shape != sample.seg_logits.data.shape[1:]:
                raise ValueError(
                    f'{sample.img_path}: the label is of shape {tuple(labels.shape)}, the '
                    f'prediction of {tuple(sample.seg_logits.data.shape[1:])}'
                )
            number = max(1, args.pixels // images)
            found.append(choose(sample.seg_logits.data, labels, number, seed=len(found)))
            bar.update()
    logits, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
    if not len(labels):
        raise ValueError('no image of `val_dataloader` has a labelled in-distribution pixel')
    temperature = fit_temperature(logits, labels)
    before, after = (
        float(negative_log_likelihood(logits / t, labels, dim=1).mean()) for t in (1, temperature)
    )
    print(f'\nNLL of {len(labels):,} pixels: {before:.4f}, with T = {temperature:.4f}: {after:.4f}')
    if temperature in TEMPERATURE_LIMITS:
        raise ValueError(
            f'no T from {TEMPERATURE_LIMITS[0]} to {TEMPERATURE_LIMITS[1]:.0f} is best: all '
            'predictions are right, or they are no better than chance'
        )
    print(f'model.test_cfg.temperature={temperature:.6g}')
    if args.out:
        write_config(args.out, args.config, temperature)


if __name__ == '__main__':
    main()
