"""Pictures of classified images, each under a name of its own; needs MMPretrain."""

import os
from collections.abc import Sequence
from typing import Any

from mmengine.runner import Runner
from mmpretrain.engine.hooks import VisualizationHook
from mmpretrain.registry import HOOKS
from mmpretrain.structures import DataSample

from ..datasets.output_names import dataset_output_names, name_of


@HOOKS.register_module()
class NamedVisualizationHook(VisualizationHook):
    """MMPretrain's ``VisualizationHook`` with its arguments, and files that do not collide.

    That one calls a picture by the name of its image without the folder, which images of two
    classes may share. This one writes to ``<out_dir>/<name>.png``, where ``<name>`` is the path of
    the image below its data, or the image's number where it has no path.
    """

    def before_val(self, runner: Runner) -> None:
        """Name the images of the validation."""
        self._begin(runner.val_loop)

    def before_test(self, runner: Runner) -> None:
        """Name the images of the test."""
        self._begin(runner.test_loop)

    def _begin(self, loop: Any) -> None:
        self._seen = 0
        self._names = dataset_output_names(loop.dataloader.dataset) if self.enable else {}

    def _draw_samples(
        self,
        batch_idx: int,
        data_batch: dict[str, Any],
        data_samples: Sequence[DataSample],
        step: int = 0,
    ) -> None:
        """Draw every ``interval``-th image."""
        if not self.enable:
            return
        for image, sample in zip(data_batch['inputs'], data_samples, strict=True):
            number, self._seen = self._seen, self._seen + 1
            if number % self.interval:
                continue
            path = sample.get('img_path')
            name = name_of(self._names, path) if path else f'{number:06d}'
            arguments = dict(self.draw_args)
            if self.out_dir is not None:
                suffix = f'_{step}' if step else ''
                arguments['out_file'] = os.path.join(self.out_dir, f'{name}{suffix}.png')
            self._visualizer.visualize_cls(
                image=image.permute(1, 2, 0).cpu().numpy().astype('uint8'),
                data_sample=sample,
                step=step,
                name=name.replace('/', '_'),
                **arguments,
            )
