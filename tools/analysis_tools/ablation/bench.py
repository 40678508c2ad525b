"""Measuring variants: what is trained, tested, and kept from before."""

from pathlib import Path

from comparison.methods import Method, fill_seed
from comparison.runs import carry_out, finished_metrics, plan_run, read_config
from comparison.summary import metric_keys

from .layer_scales import write_layer_scales
from .settings import (
    Fingerprint,
    arguments_of,
    cached_reader,
    file_of,
    find_fingerprint,
    options_of_layer_scales,
    options_of_test,
    options_of_training,
)
from .training import Training, carry_out_training, first_members, is_finished
from .variants import FINE_TUNED, Ablation, Variant

Numbers = dict[str, dict[str, float | None]]
"""What was measured, by score and name; None where a number is undefined."""


class Bench:
    """Measures variants with ``tools/train.py`` and ``tools/test.py``.

    Args:
        ablation: The list.
        out: The folder to write to; what was finished there with the same settings is kept.
        tools: The folder of the tools.
    """

    def __init__(self, ablation: Ablation, out: Path, tools: Path) -> None:
        self.ablation = ablation
        self._out = out
        self._tools = tools
        self._read = cached_reader()
        self._fingerprints: dict[str, Fingerprint] = {}
        self._measured: dict[tuple[str, int], Numbers] = {}

    def fingerprint(self, variant: Variant) -> Fingerprint:
        """Return what makes a variant another one, see :func:`find_fingerprint`."""
        key = variant.key
        if key not in self._fingerprints:
            self._fingerprints[key] = find_fingerprint(self.ablation, variant, self._read)
        return self._fingerprints[key]

    def measure(self, variant: Variant, seed: int) -> Numbers:
        """Train and test a variant with a seed, as far as that was not done before.

        Raises:
            RuntimeError: If a training or a test fails.
        """
        fingerprint = self.fingerprint(variant)
        place = (fingerprint.test, seed)
        if place not in self._measured:
            self._measured[place] = self._measure(variant, fingerprint, seed)
        else:
            print('as another variant', flush=True)
        return self._measured[place]

    def _measure(self, variant: Variant, fingerprint: Fingerprint, seed: int) -> Numbers:
        config = self._config(variant, fingerprint, seed)
        checkpoint = fill_seed(self.ablation.base_checkpoint, seed)
        if variant.kind == FINE_TUNED:
            checkpoint = str(self._train(variant, fingerprint, seed, config))
        options = options_of_test(self.ablation, variant, seed, self._read)
        method = Method(variant.key, config, checkpoint, fingerprint.scores, (), options)
        folder = self._out / 'tests'
        run = plan_run(method, seed, folder, fingerprint.test, self._read)
        metrics = finished_metrics(run)
        if metrics is None:
            metrics = carry_out(run, self._tools / 'test.py')
        else:
            print(f'test finished before: {run.work_dir}', flush=True)
        return {
            score: {n: metrics.get(k) for n, k in metric_keys(score, method.scores).items()}
            for score in method.scores
        }

    def _config(self, variant: Variant, fingerprint: Fingerprint, seed: int) -> str:
        """Return the variant's config; with noise scales of equal effect it is written first.

        Variants that share a training share that file.
        """
        config = file_of(self.ablation, variant)
        if variant.equal_effect is None:
            return config
        name = fingerprint.training or fingerprint.test
        path = self._out / 'layer_scales' / name / f'{seed}.py'
        checkpoint = fill_seed(self.ablation.base_checkpoint, seed)
        options = options_of_layer_scales(self.ablation, variant, seed)
        arguments = [config, checkpoint, *arguments_of(path.with_suffix(''), options)]
        cfg = read_config(arguments, self._read)
        write_layer_scales(path, config, checkpoint, cfg, arguments, variant.equal_effect)
        return str(path)

    def _train(self, variant: Variant, fingerprint: Fingerprint, seed: int, config: str) -> Path:
        work_dir = self._out / 'trainings' / fingerprint.training / str(seed)
        options = options_of_training(self.ablation, variant, seed)
        checkpoint = fill_seed(self.ablation.base_checkpoint, seed)
        arguments = arguments_of(work_dir, options)
        training = Training(
            what=f'the training of {variant.key!r} with seed {seed}',
            base_checkpoint=checkpoint,
            work_dir=work_dir,
            arguments=(config, *arguments),
            cfg=read_config([config, checkpoint, *arguments], self._read),
        )
        if is_finished(training):
            print(f'training finished before: {work_dir}', flush=True)
        else:
            carry_out_training(training, self._tools / 'train.py')
        return first_members(training, variant.members)
