"""Predictions in files: how they are written, found and read.

The prediction of an image is ``<name>_pred.png`` with class ids, its score maps are
``<name>_<score>.npy`` or ``.png``; or both are ``<name>.pth``, as the MUAD challenge takes them.
``<name>`` is what :mod:`mmseg_abnn.datasets.output_names` says.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..datasets.output_names import default_name, name_of
from ..messages import located
from .png_files import read_png, write_png
from .score_maps import (
    SCORE_FORMATS,
    check_format,
    read_challenge,
    read_score_map,
    write_score_map,
)

CHALLENGE_SCORE = 'msp'
"""The one score that a file of the MUAD challenge holds."""

_LARGEST_ID = 2**16 - 1
_MAPS = ('.npy', '.png')
_NAMED = 3  # images that an error names


class PredictionWriter:
    """Writes the predictions of a test.

    Args:
        folder: Made if it does not exist.
        format: Of the score maps, one of ``SCORE_FORMATS``.
        names: Path of an image to its name; others have their ``default_name``.

    Raises:
        ValueError: If the format is not known.
        OSError: If the folder cannot be made.
    """

    def __init__(
        self, folder: str | Path, format: str = 'npy', names: Mapping[str, str] | None = None
    ) -> None:
        self.folder = Path(folder)
        self.format = check_format('format', format)
        self.names = names
        self._written: dict[Path, str] = {}
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(
        self,
        img_path: str,
        classes: np.ndarray | None,
        maps: Mapping[str, np.ndarray],
        limits: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        """Write the prediction and the score maps of one image.

        Args:
            img_path: The image.
            classes: Predicted class ids up to 65535, of shape (H, W); None: score maps only.
            maps: Uncertainty by name of the score, of shape (H, W). The format ``'pth'`` takes
                ``'msp'`` only, and leaves the others out.
            limits: Limits of scores by name, see :func:`~mmseg_abnn.evaluation.score_maps.
                write_score_map`.

        Raises:
            ValueError: If another image wrote a file of the same name, or something does not fit
                the format. Nothing is written then.
        """
        target = self.folder / name_of(self.names, img_path)
        challenge = self.format == 'pth'
        if challenge and (classes is None or CHALLENGE_SCORE not in maps):
            raise ValueError(
                "a .pth file of the MUAD challenge needs the prediction and the score 'msp', got "
                f'the scores {tuple(maps)}' + ('' if classes is not None else ' alone')
            )
        if classes is not None and not 0 <= classes.min() <= classes.max() <= _LARGEST_ID:
            raise ValueError(
                f'class ids must be in 0..{_LARGEST_ID} to be saved, got {classes.min()} to '
                f'{classes.max()}'
            )
        pictures = [] if classes is None or challenge else [Path(f'{target}_pred.png')]
        scores = {name: Path(f'{target}_{name}.{self.format}') for name in maps}
        if challenge:
            scores = {CHALLENGE_SCORE: Path(f'{target}.pth')}
        self._claim([*pictures, *scores.values()], img_path)
        if classes is not None:
            narrow = classes.astype(np.uint8 if classes.max() <= 255 else np.uint16)
            for file in pictures:
                write_png(file, narrow)
        for name, file in scores.items():
            write_score_map(file, maps[name], self.format, (limits or {}).get(name), classes)

    def _claim(self, files: Iterable[Path], img_path: str) -> None:
        for file in files:
            owner = self._written.setdefault(file, img_path)
            if owner != img_path:
                raise ValueError(
                    f'{owner} and {img_path} would both be saved as {file}: rename one of them, or '
                    'test them in two runs'
                )


def find_predictions(
    folder: Path,
    images: Sequence[tuple[str, str | None]],
    names: Mapping[str, str],
    scores: Sequence[str],
) -> list[Path]:
    """Find what was saved of all images, before any of it is read.

    The files of an image are called by its name below the data, as :class:`PredictionWriter` calls
    them; or ``[<split>/]<folder of the image>/<stem>`` or ``[<split>/]<stem>``: one of these forms
    for all images. No file may belong to two of them.

    Args:
        folder: Holds the predictions.
        images: Path and split, if it is known, of each image.
        names: Path to name, see ``dataset_output_names``.
        scores: Names of the scores that are looked for.

    Returns:
        For each image the path that the names of its files begin with.

    Raises:
        FileNotFoundError: If there is no prediction of some images.
        ValueError: If files may belong to two images.
    """
    forms: list[Callable[[str, str | None], Path]] = [
        lambda path, _: Path(names[path]),
        lambda path, _: Path(default_name(path)),
        lambda path, split: Path(split or '', Path(path).parent.name, Path(path).stem),
        lambda path, _: Path(Path(path).parent.name, Path(path).stem),
        lambda path, split: Path(split or '', Path(path).stem),
        lambda path, _: Path(Path(path).stem),
    ]
    fewest: list[str] | None = None
    shared = ''
    for form in forms:
        found = [folder / form(*image) for image in images]
        missing = [
            path for (path, _), file in zip(images, found, strict=True) if not _exists(file, scores)
        ]
        if not missing:
            owners: dict[Path, str] = {}
            for (path, _), file in zip(images, found, strict=True):
                if owners.setdefault(file, path) != path:
                    shared = shared or f'{owners[file]} and {path} are both {file}'
                    break
            else:
                return found
        if fewest is None or len(missing) < len(fewest):
            fewest = missing
    if shared:
        raise ValueError(
            f'the predictions in {folder} cannot be told apart: {shared}. Save each below the '
            'folder of its image, as tools/test.py --out does'
        )
    missing = fewest or []
    example = folder / names[missing[0]]
    raise FileNotFoundError(
        f'{located(folder)} holds no prediction of {len(missing)} of {len(images)} images: '
        f'{", ".join(missing[:_NAMED])}{", ..." if len(missing) > _NAMED else ""}. Of the first '
        f'one {example}_{scores[0]}.npy is looked for, or .png, {example}.npy, .png or .pth'
    )


def read_saved(path: Path, scores: Sequence[str]) -> dict[str, Any]:
    """Read the prediction of one image.

    Three forms are known:

    - ``<path>.pth``, of the MUAD challenge: a dict with ``conf``, the confidence in [0, 1], and
      ``pred``, the class ids, both (H, W); the score is ``'msp'`` = 1 - conf;
    - ``<path>_<score>.npy`` or ``.png`` and, if there is one, ``<path>_pred.png`` with class ids,
      as :class:`PredictionWriter` writes them;
    - ``<path>.npy`` or ``<path>.png``: one score.

    A score is high where OOD; see :func:`~mmseg_abnn.evaluation.score_maps.read_score_map`.

    Args:
        path: As :func:`find_predictions` returns it.
        scores: Names of the scores to read; a file without a name is the first one.

    Returns:
        The fields ``pred_sem_seg`` (if known) and ``uncertainty`` of a data sample.

    Raises:
        ValueError: If a file does not have the form, or a score is not there. The message names
            the file.
    """
    file = Path(f'{path}.pth')
    if file.is_file():
        if tuple(scores) != (CHALLENGE_SCORE,):
            raise ValueError(
                f'{file}: a .pth file holds the score {CHALLENGE_SCORE!r} only, got {tuple(scores)}'
            )
        confidence, ids = read_challenge(file)
        maps = {CHALLENGE_SCORE: torch.from_numpy(1 - confidence)}
        return {'pred_sem_seg': {'data': torch.from_numpy(ids)}, 'uncertainty': maps}
    sample: dict[str, Any] = {}
    classes = Path(f'{path}_pred.png')
    if classes.is_file():
        values, _ = read_png(classes)
        sample['pred_sem_seg'] = {'data': torch.from_numpy(values.astype(np.int64))}
    maps = {}
    for name in scores:
        files = [Path(f'{path}_{name}{suffix}') for suffix in _MAPS]
        if name == scores[0]:
            files += [Path(f'{path}{suffix}') for suffix in _MAPS]
        found = [file for file in files if file.is_file()]
        if len(found) != 1:
            what = 'more than one file' if found else 'no file'
            raise ValueError(
                f'score {name!r} of {path.name}: {what} of '
                f'{[file.name for file in files]} is in {path.parent}'
            )
        maps[name] = torch.from_numpy(read_score_map(found[0]))
    return sample | {'uncertainty': maps}


def _exists(path: Path, scores: Sequence[str]) -> bool:
    ends = [f'.{suffix}' for suffix in SCORE_FORMATS] + ['_pred.png']
    ends += [f'_{score}{suffix}' for score in scores for suffix in _MAPS]
    return any(Path(f'{path}{end}').is_file() for end in ends)
