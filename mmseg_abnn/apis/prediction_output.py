"""Predictions of images and films in files: class ids, score maps, pictures and videos."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from ..evaluation.png_files import write_png
from ..evaluation.saved_predictions import PredictionWriter
from ..visualization.overlays import video_frame
from .image_prediction import ImagePrediction
from .image_sources import Film, NamedImage

PICTURES_FOLDER = 'vis'
MAPS_FOLDER = 'pred'
FOLDERS = (PICTURES_FOLDER, MAPS_FOLDER)


class PredictionOutput:
    """Writes predictions below a folder.

    Args:
        folder: Made if it does not exist.
        maps: Names of the uncertainty maps to write; a film shows the first one.
        score_format: See :func:`~mmseg_abnn.evaluation.score_maps.write_score_map`.
        palette: An RGB color for each class.

    Attributes:
        files: What was written, of the class ids and score maps of an image what their names begin
            with.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        maps: Sequence[str],
        score_format: str,
        palette: Sequence[Sequence[int]],
    ) -> None:
        self.files: list[str] = []
        self._folder = Path(folder)
        self._maps = maps
        self._palette = palette
        self._names: dict[str, str] = {}
        self._writer = PredictionWriter(self._folder / MAPS_FOLDER, score_format, self._names)

    def write(self, prediction: ImagePrediction, picture: np.ndarray | None) -> None:
        """Write the files about an image or a frame, and its picture, RGB, if there is one."""
        name = prediction.name
        self._names[name] = name
        limits = {score: prediction.limits(score) for score in self._maps}
        self._writer.write(
            name,
            prediction.labels,
            {score: prediction.uncertainty[score] for score in self._maps},
            {score: both for score, both in limits.items() if both is not None},
        )
        self.files.append(str(self._writer.folder / name))
        if picture is not None:
            file = self._folder / PICTURES_FOLDER / f'{name}.png'
            write_png(file, picture)
            self.files.append(str(file))

    def write_film(
        self,
        film: Film,
        frames: Iterator[tuple[NamedImage, ImagePrediction]],
        pictures: bool,
    ) -> None:
        """Write the files about all frames, and a video of prediction and uncertainty.

        Ctrl-C ends a camera; what was written until then is whole.

        Args:
            film: What the frames are of.
            frames: Its frames and their predictions.
            pictures: Whether to write the video.
        """
        file = self._folder / PICTURES_FOLDER / f'{film.name}.mp4'
        video: cv2.VideoWriter | None = None
        try:
            for named, prediction in frames:
                prediction.check_maps(self._maps)
                self.write(prediction, None)
                if not pictures:
                    continue
                picture = self._frame(named, prediction)
                video = video or _video_writer(file, film.fps, picture.shape)
                video.write(np.ascontiguousarray(picture[..., ::-1]))
        except KeyboardInterrupt:
            if not film.is_camera:
                raise
        finally:
            if video is not None:
                video.release()
                self.files.append(str(file))

    def _frame(self, named: NamedImage, prediction: ImagePrediction) -> np.ndarray:
        score = self._maps[0]
        limits = prediction.limits(score)
        return video_frame(
            prediction.background(named.image),
            prediction.labels,
            prediction.uncertainty[score],
            self._palette,
            limits[1] if limits else None,
            score,
        )


def _video_writer(file: Path, fps: float, shape: tuple[int, ...]) -> cv2.VideoWriter:
    file.parent.mkdir(parents=True, exist_ok=True)
    codec = cv2.VideoWriter.fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(file), codec, fps, (shape[1], shape[0]))
    if not writer.isOpened():
        raise ValueError(
            f'OpenCV cannot write the video {file}: the folder is read-only, or this build of '
            'OpenCV has no codec mp4v'
        )
    return writer
