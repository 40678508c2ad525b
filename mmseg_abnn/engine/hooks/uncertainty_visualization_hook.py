"""Hook that draws predictions together with their uncertainty."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mmcv
from mmengine.dist import is_main_process
from mmengine.fileio import get
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample

from ...datasets.ood_ids import with_one_ood_id
from ...evaluation.metrics.segmentation.samples import read_labels, read_score
from ...visualization.panels import uncertainty_panel


@HOOKS.register_module()
class UncertaintyVisualizationHook(Hook):
    """Draw image, labels, prediction and uncertainty of a scene side by side.

    Takes the place of MMSegmentation's ``SegVisualizationHook`` in ``default_hooks.visualization``
    and has its arguments. Pictures go to the Runner's visualizer, under the name
    ``test_<split>_<image>`` or ``val_<split>_<image>`` (without ``<split>_`` if the data samples
    do not say their split); its local backend adds the number of the step, so images of the same
    name do not overwrite each other. Every test image of the main process is drawn, and of the
    validation the first image of every ``interval``-th batch. Other processes draw nothing.

    The color scale of ``'entropy'`` and ``'expected_entropy'`` ends at ln K and that of ``'msp'``
    at 1 - 1/K, so pictures can be compared; other scores have a scale for each image.

    Args:
        draw: Whether to draw at all.
        interval: Of which validation batches to draw the first image.
        show: Show the pictures in a window instead of storing them.
        wait_time: How long to show a picture, in seconds; 0 waits for the space key.
        backend_args: For reading the images, see ``mmengine.fileio``.
        score: ``'entropy'``, ``'msp'`` or the name of a map in the data samples' ``uncertainty``.

    Raises:
        ValueError: If ``interval``, ``wait_time`` or ``score`` is not allowed.
    """

    def __init__(
        self,
        draw: bool = False,
        interval: int = 50,
        show: bool = False,
        wait_time: float = 0.0,
        backend_args: dict | None = None,
        score: str = 'entropy',
    ) -> None:
        if not isinstance(interval, int) or isinstance(interval, bool) or interval < 1:
            raise ValueError(f'`interval` must be an integer >= 1, got {interval!r}')
        if wait_time < 0:
            raise ValueError(f'`wait_time` must be >= 0, got {wait_time!r}')
        if not isinstance(score, str) or not score:
            raise ValueError(f'`score` must be a non-empty string, got {score!r}')
        self.draw = draw
        self.interval = interval
        self.show = show
        self.wait_time = wait_time
        self.backend_args = backend_args
        self.score = score
        self._num_tested = 0

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[SegDataSample] | None = None,
    ) -> None:
        """Draw the first image of the batch, every ``interval`` batches."""
        step = runner.iter + batch_idx
        if self._is_wanted() and outputs and step % self.interval == 0:
            self._draw(runner, 'val', outputs[0], step)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[SegDataSample] | None = None,
    ) -> None:
        """Draw every image of the batch."""
        if self._is_wanted():
            for sample in outputs or ():
                self._num_tested += 1
                self._draw(runner, 'test', sample, self._num_tested)

    def _is_wanted(self) -> bool:
        return self.draw and is_main_process()

    def _draw(self, runner: Runner, mode: str, sample: SegDataSample, step: int) -> None:
        content = sample.to_dict()
        path = content['img_path']
        meta = runner.visualizer.dataset_meta or {}
        if not meta.get('palette'):
            raise ValueError("drawing needs a `palette` in the dataset's `metainfo`")
        labels, ood_id = None, None
        if 'gt_sem_seg' in content:
            labels, ood_id = with_one_ood_id(read_labels(content, 'gt_sem_seg'), meta)
        picture = uncertainty_panel(
            mmcv.imfrombytes(get(path, backend_args=self.backend_args), channel_order='rgb'),
            labels,
            read_labels(content, 'pred_sem_seg'),
            read_score(content, self.score),
            palette=meta['palette'],
            ood_id=ood_id,
            upper=_scale_end(self.score, len(meta['palette'])),
        )
        name = '_'.join([mode, *_split(content), Path(path).stem])
        if self.show:
            runner.visualizer.show(picture, win_name=name, wait_time=self.wait_time)
        else:
            runner.visualizer.add_image(name, picture, step)


def _split(content: Mapping[str, Any]) -> list[str]:
    return [str(content['split'])] if content.get('split') else []


def _scale_end(score: str, num_classes: int) -> float | None:
    """The largest value that a score can take, or None."""
    return {
        'entropy': math.log(num_classes),
        'expected_entropy': math.log(num_classes),
        'msp': 1 - 1 / num_classes,
    }.get(score)
