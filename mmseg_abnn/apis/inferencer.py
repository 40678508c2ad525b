"""From images, folders, videos and cameras to arrays, pictures and score maps."""

import os
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

import numpy as np
import torch
from mmengine.config import Config
from mmengine.utils import ProgressBar
from mmseg.models import BaseSegmentor
from torch import nn

from ..evaluation.score_maps import check_format
from .command_line import read_options
from .image_prediction import ImagePrediction
from .image_sources import Film, NamedImage, find_sources
from .inference import UnreadableImageError, check_batch_size, inference_model, init_model
from .prediction_output import FOLDERS, PredictionOutput

_NAMED = 3  # files that an error names


class ABNNInferencer:
    """Predicts images with an ABNN, or with any segmentor, and writes what it finds.

    Used like ``MMSegInferencer`` of MMSegmentation:

        inferencer = ABNNInferencer('work_dirs/my_abnn/abnn.pth')
        prediction = inferencer('street.png', out_dir='out')['predictions']
        prediction.labels, prediction.probabilities, prediction.uncertainty['entropy']

    Args:
        model: What :func:`~mmseg_abnn.apis.init_model` takes: ``abnn.pth``, or a config; or a
            network that it built.
        weights: The checkpoint, where ``model`` is a config.
        device: Where it computes; by default a GPU, if there is one.
        cfg_options: Settings by their dotted names.
        show_progress: Whether to show a progress bar.

    Raises:
        TypeError: If the network is no segmentor.
        ValueError, FileNotFoundError: As ``init_model`` does.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Config | nn.Module,
        weights: str | os.PathLike[str] | None = None,
        device: str | torch.device | None = None,
        cfg_options: Mapping[str, Any] | None = None,
        show_progress: bool = True,
    ) -> None:
        self.model: Any
        if isinstance(model, nn.Module):
            if weights is not None or cfg_options:
                raise ValueError('`weights` and `cfg_options` must not be given beside a network')
            self.model = model if device is None else model.to(device)
        else:
            self.model = init_model(model, weights, device, cfg_options)
        if not isinstance(self.model, BaseSegmentor):
            raise TypeError(
                f'ABNNInferencer is for segmentors, got {type(self.model).__name__}: '
                'inference_model predicts images with a classifier'
            )
        self.show_progress = show_progress
        self._num_arrays = 0

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return list(self.model.dataset_meta['classes'])

    @property
    def palette(self) -> list[list[int]]:
        """An RGB color for each class."""
        return [list(color) for color in self.model.dataset_meta['palette']]

    def __call__(
        self,
        inputs: Any,
        batch_size: int = 1,
        return_datasamples: bool = False,
        return_vis: bool = False,
        out_dir: str | os.PathLike[str] = '',
        maps: Sequence[str] = ('entropy',),
        score_format: str = 'png',
        pictures: bool = True,
        max_frames: int | None = None,
        return_predictions: bool = True,
    ) -> Any:
        """Predict.

        Args:
            inputs: A path, an array of shape (H, W, 3) in the order blue, green, red, a folder
                (with all folders below it), a video, the number of a camera or ``'camera:0'``, or
                a list of them. A camera is read until Ctrl-C, or ``max_frames``.
            batch_size: How many images of one size go through the network together.
            return_datasamples: Return MMSegmentation's data samples, and nothing else.
            return_vis: Return the pictures too, as RGB arrays.
            out_dir: The folder to write to: ``pred/<name>_pred.png`` with class ids and
                ``pred/<name>_<score>.png`` for images and frames, ``vis/<name>.png`` for images,
                and ``vis/<name>.mp4`` for videos, prediction and uncertainty side by side. Empty:
                nothing is written.
            maps: The uncertainty maps to draw and to write; a video shows the first one.
            score_format: ``'png'`` (16 bits), ``'npy'``, or ``'pth'``, the MUAD challenge's files,
                which hold ``'msp'`` and the class ids.
            pictures: Whether to draw at all.
            max_frames: How many frames of a film are read at most.
            return_predictions: Whether to keep the predictions in memory and return them; of many
                images, which are written, that may be too much.

        Returns:
            ``predictions``, an :class:`ImagePrediction` for an image that was given by itself, a
            list of them for a folder or a list; ``visualization``, likewise, with ``return_vis``;
            ``files``, what was written. Frames of films are written, and not kept in memory:
            :meth:`stream` yields them as arrays.

        Raises:
            ValueError: If an argument is not allowed, a score is not known, a film is given without
                ``out_dir``, or a file cannot be read; with ``out_dir`` at the end, when all
                others are written.
            FileNotFoundError: If there is no such file or folder.
        """
        check_batch_size(batch_size)
        written = [os.path.join(out_dir, name) for name in FOLDERS] if out_dir else []
        sources = find_sources(inputs, self._num_arrays, written)
        films = [source for source in sources if isinstance(source, Film)]
        images = [source for source in sources if isinstance(source, NamedImage)]
        self._num_arrays += sum(isinstance(named.image, np.ndarray) for named in images)
        if films and not out_dir:
            raise ValueError(
                '`out_dir` must be given for a video or a camera; `stream` yields its frames'
            )
        if isinstance(maps, str) or not maps:
            raise ValueError(f'`maps` must be a list of names of scores, got {maps!r}')
        check_format('score_format', score_format)
        if score_format == 'pth':
            maps = ['msp', *(name for name in maps if name != 'msp')]
        output = PredictionOutput(out_dir, maps, score_format, self.palette) if out_dir else None
        predictions, drawn = [], []
        # what is written stays, so one broken file of many is no reason to stop
        unreadable: list[str] | None = None if output is None else []
        for named, prediction in self._predict(iter(images), batch_size, len(images), unreadable):
            prediction.check_maps(maps)
            picture = None
            if return_vis or (pictures and output is not None):
                picture = prediction.draw(named.image, maps, self.classes, self.palette)
            if output is not None:
                output.write(prediction, picture if pictures else None)
            if return_predictions:
                predictions.append(prediction)
            if return_vis:
                drawn.append(picture)
        for film in films:
            frames = self._predict(film.frames(max_frames), batch_size, len(film))
            cast(PredictionOutput, output).write_film(film, frames, pictures)
        if unreadable:
            raise ValueError(
                f'{len(unreadable)} of {len(images)} images were left out, all others are written: '
                f'{"; ".join(unreadable[:_NAMED])}'
            )
        single = (
            return_predictions
            and len(images) == 1
            and not films
            and not isinstance(inputs, (list, tuple))
        )
        single = single and not (isinstance(inputs, (str, os.PathLike)) and os.path.isdir(inputs))
        if return_datasamples:
            samples = [prediction.sample for prediction in predictions]
            return samples[0] if single else samples
        results: dict[str, Any] = {'predictions': predictions[0] if single else predictions}
        if return_vis:
            results['visualization'] = drawn[0] if single else drawn
        results['files'] = output.files if output is not None else []
        return results

    def stream(
        self, inputs: Any, batch_size: int = 1, max_frames: int | None = None
    ) -> Iterator[tuple[NamedImage, ImagePrediction]]:
        """Predict images and frames one after the other, and keep none in memory.

        Args:
            inputs: As of a call.
            batch_size: As of a call.
            max_frames: As of a call.

        Yields:
            An image with its name, and its prediction.
        """
        check_batch_size(batch_size)
        for source in find_sources(inputs, self._num_arrays):
            if isinstance(source, Film):
                frames = source.frames(max_frames)
                yield from self._predict(frames, batch_size, len(source))
            else:
                yield from self._predict(iter([source]), batch_size, 1)

    def _predict(
        self,
        images: Iterator[NamedImage],
        batch_size: int,
        count: int,
        unreadable: list[str] | None = None,
    ) -> Iterator[tuple[NamedImage, ImagePrediction]]:
        bar = ProgressBar(count) if self.show_progress and count > 1 else None
        while batch := list(islice(images, batch_size)):
            for named, sample in self._samples(batch, batch_size, unreadable):
                yield named, ImagePrediction.read(named.name, sample)
                if bar is not None:
                    bar.update()
        if bar is not None:
            print(flush=True)

    def _samples(
        self, batch: list[NamedImage], batch_size: int, unreadable: list[str] | None
    ) -> Iterator[tuple[NamedImage, Any]]:
        try:
            samples = inference_model(self.model, [named.image for named in batch], batch_size)
        except UnreadableImageError as error:
            if unreadable is None:
                raise
            if len(batch) == 1:
                unreadable.append(str(error))
            else:
                for named in batch:
                    yield from self._samples([named], batch_size, unreadable)
        else:
            yield from zip(batch, samples, strict=True)


def predict_command(args: Namespace) -> None:
    """Run ``mmseg-abnn predict``.

    Args:
        args: ``model``, ``weights``, ``inputs``, ``out_dir``, ``batch_size``, ``device``,
            ``cfg_options``, ``maps``, ``format`` and ``no_pictures``.
    """
    inferencer = ABNNInferencer(
        args.model, args.weights, args.device, read_options(args.cfg_options)
    )
    inferencer(
        args.inputs,
        batch_size=args.batch_size,
        out_dir=args.out_dir,
        maps=args.maps or ('entropy',),
        score_format=args.format,
        return_predictions=False,
        pictures=not args.no_pictures,
    )
    print(f'Predictions: {os.path.abspath(args.out_dir)}')
