"""Hook that draws predictions together with their uncertainty."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import get_rank, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample

from ...datasets.output_names import dataset_output_names, name_of
from ...datasets.stored import read_drawable
from ...evaluation.functional.scores import score_range
from ...evaluation.metrics.segmentation.samples import read_labels, read_score
from ...evaluation.png_files import write_png
from ...visualization.colors import UNKNOWN_COLOR, default_palette, ids_of
from ...visualization.panels import uncertainty_panel

_NAMED = 3  # images that are named because they cannot be drawn


@HOOKS.register_module()
class UncertaintyVisualizationHook(Hook):
    """Draw image, labels, prediction and uncertainty of a scene side by side.

    Takes the place of MMSegmentation's ``SegVisualizationHook`` in ``default_hooks.visualization``
    and has its arguments. OOD pixels are cyan in the labels, ignored ones black, and ids that stand
    for nothing white; labels are left out where there are none. An image that is no picture, such
    as one of five bands or of floating-point numbers, is left out and named in the log: nothing
    that it holds ends a test.

    With ``out_dir`` every test image of every process is drawn, to ``<out_dir>/<name>.png``;
    ``<name>`` is the path of the image below its data. Without it pictures go to the Runner's
    visualizer, as ``test_<name>`` with ``_`` for ``/``, from the main process only. Of the
    validation the main process draws the first image of every ``interval``-th batch,
    ``val_<name>``, to the visualizer.

    The color scale of entropies ends at ln K and that of ``'msp'`` and ``'variation_ratio'`` at
    1 - 1/K, so pictures can be compared; other scores have a scale for each image.

    Args:
        draw: Whether to draw at all.
        interval: Of which validation batches to draw the first image.
        show: Show the pictures in a window instead of storing them.
        wait_time: How long to show a picture, in seconds; 0 waits for the space key.
        backend_args: For reading the images, see ``mmengine.fileio``.
        score: ``'entropy'``, ``'msp'`` or the name of a map in the data samples' ``uncertainty``.
        out_dir: The folder to write the pictures of a test to.

    Raises:
        ValueError: If an argument is not allowed.
    """

    def __init__(
        self,
        draw: bool = False,
        interval: int = 50,
        show: bool = False,
        wait_time: float = 0.0,
        backend_args: dict | None = None,
        score: str = 'entropy',
        out_dir: str | None = None,
    ) -> None:
        if not isinstance(interval, int) or isinstance(interval, bool) or interval < 1:
            raise ValueError(f'`interval` must be an integer >= 1, got {interval!r}')
        if wait_time < 0:
            raise ValueError(f'`wait_time` must be >= 0, got {wait_time!r}')
        if not isinstance(score, str) or not score:
            raise ValueError(f'`score` must be a non-empty string, got {score!r}')
        if out_dir is not None and not (isinstance(out_dir, str) and out_dir):
            raise ValueError(f'`out_dir` must be None or a non-empty string, got {out_dir!r}')
        self.draw = draw
        self.interval = interval
        self.show = show
        self.wait_time = wait_time
        self.backend_args = backend_args
        self.score = score
        self.out_dir = out_dir
        self._num_tested = 0
        self._num_left_out = 0
        self._names: Mapping[str, str] = {}
        self._meta: Mapping[str, Any] | None = None

    def before_val(self, runner: Runner) -> None:
        """Name the images."""
        self._name_images(runner.val_loop)

    def before_test(self, runner: Runner) -> None:
        """Name the images, and make the folder, before anything is predicted."""
        self._name_images(runner.test_loop)
        if self.draw and self.out_dir is not None:
            Path(self.out_dir).mkdir(parents=True, exist_ok=True)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[SegDataSample] | None = None,
    ) -> None:
        """Draw the first image of the batch, every ``interval`` batches."""
        step = runner.iter + batch_idx
        if self.draw and is_main_process() and outputs and step % self.interval == 0:
            self._to_visualizer(runner, 'val', outputs[0], step)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[SegDataSample] | None = None,
    ) -> None:
        """Draw every image of the batch."""
        if not self.draw:
            return
        for sample in outputs or ():
            self._num_tested += 1
            if self.out_dir is not None:
                self._to_folder(runner, sample)
            if is_main_process() and (self.show or self.out_dir is None):
                self._to_visualizer(runner, 'test', sample, self._num_tested)

    def after_test(self, runner: Runner) -> None:
        """Say how many images were left out of their pictures."""
        if self._num_left_out > _NAMED:
            self._warn(f'{self._num_left_out} images in all were left out of their pictures')
        self._num_tested = self._num_left_out = 0

    def _to_folder(self, runner: Runner, sample: SegDataSample) -> None:
        picture = self._picture(runner, sample)
        path = Path(str(self.out_dir), f'{self._name(sample)}.png')
        try:
            write_png(path, picture)
        except OSError as error:  # the figures of the test are worth more
            self._warn(f'the picture {path} could not be written: {error}')

    def _to_visualizer(self, runner: Runner, mode: str, sample: SegDataSample, step: int) -> None:
        picture = self._picture(runner, sample)
        name = f'{mode}_{self._name(sample)}'.replace('/', '_')
        if self.show:
            runner.visualizer.show(picture, win_name=name, wait_time=self.wait_time)
        else:
            runner.visualizer.add_image(name, picture, step)

    def _name(self, sample: SegDataSample) -> str:
        path = sample.get('img_path')
        return name_of(self._names, path) if path else f'{get_rank()}_{self._num_tested:06d}'

    def _picture(self, runner: Runner, sample: SegDataSample) -> np.ndarray:
        content = sample.to_dict()
        meta = self._meta or runner.visualizer.dataset_meta or {}
        prediction = read_labels(content, 'pred_sem_seg')
        number = len(meta.get('palette') or meta.get('classes') or ()) or int(prediction.max()) + 1
        limits = score_range(self.score, number)
        return uncertainty_panel(
            self._image(content, prediction.shape),
            self._labels(content, prediction.shape),
            prediction,
            read_score(content, self.score),
            palette=meta.get('palette') or default_palette(number),
            ood_id=_ood_ids(meta, runner),
            upper=limits[1] if limits else None,
            name=self.score,
            unknown=UNKNOWN_COLOR,
        )

    def _image(self, content: Mapping[str, Any], shape: tuple[int, ...]) -> np.ndarray | None:
        if not content.get('img_path'):
            return None
        try:
            image = read_drawable(content['img_path'], self.backend_args)
        except ValueError as error:
            self._leave_out(content, str(error))
            return None
        if image.shape[:2] != shape:
            self._leave_out(content, f'it is {image.shape[:2]}, its prediction {shape}')
            return None
        return image

    def _labels(self, content: Mapping[str, Any], shape: tuple[int, ...]) -> np.ndarray | None:
        if 'gt_sem_seg' not in content:
            return None
        labels = read_labels(content, 'gt_sem_seg')
        if labels.shape != shape:
            self._leave_out(content, f'its labels are {labels.shape}, its prediction {shape}')
            return None
        return labels

    def _leave_out(self, content: Mapping[str, Any], why: str) -> None:
        self._num_left_out += 1
        if self._num_left_out <= _NAMED:
            self._warn(f'{content.get("img_path")} is left out of its picture: {why}')

    def _name_images(self, loop: Any) -> None:
        if self.draw:
            dataset = loop.dataloader.dataset
            self._names = dataset_output_names(dataset)
            # other processes than the main one have no visualizer that knows it
            self._meta = getattr(dataset, 'metainfo', None)

    def _warn(self, text: str) -> None:
        MMLogger.get_current_instance().warning(text)


def _ood_ids(meta: Mapping[str, Any], runner: Runner) -> set[int]:
    """Return the ids of OOD pixels that the data set names, and those of its metrics."""
    ids = set(ids_of(meta.get('ood_id')))
    evaluator = getattr(getattr(runner, 'test_loop', None), 'evaluator', None)
    for metric in getattr(evaluator, 'metrics', ()):
        ids |= set(getattr(metric, 'ood_ids', None) or ())
    return ids
