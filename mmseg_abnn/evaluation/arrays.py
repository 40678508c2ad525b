"""How arguments enter the functions: arrays of NumPy or torch of any shape, checked once."""

import numpy as np
import numpy.typing as npt
import torch

Array = npt.ArrayLike | torch.Tensor

FPR_RULES = ('first', 'nearest')
"""How the threshold of a recall is chosen, see ``fpr_at_recall``."""


def to_numpy(values: Array) -> np.ndarray:
    """Return ``values`` as a NumPy array on the CPU.

    NumPy knows no bfloat16 and sorts float16 slowly; float32 holds every value of both.
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        if values.dtype in (torch.float16, torch.bfloat16):
            values = values.float()
        return values.numpy()
    array = np.asarray(values)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def as_tensor(values: Array) -> torch.Tensor:
    """Return ``values`` as a tensor, on the device that they are on, without a gradient."""
    if isinstance(values, torch.Tensor):
        return values.detach()
    array = np.asarray(values)
    # PyTorch takes no negative strides, and warns of arrays that are read-only.
    if min(array.strides, default=0) < 0 or not array.flags.writeable:
        array = array.copy()
    return torch.from_numpy(array)


def at_least_float(values: torch.Tensor) -> torch.Tensor:
    """Return ``values`` in float32 if they are neither that nor float64."""
    return values if values.dtype in (torch.float32, torch.float64) else values.float()


def to_finite(name: str, values: Array) -> np.ndarray:
    """Return ``values`` as a floating-point array, or raise ValueError on NaN and infinities."""
    array = to_numpy(values)
    if array.dtype not in (np.float32, np.float64) or not array.dtype.isnative:
        array = array.astype(np.float64)
    # The extremes of an array with NaN are NaN.
    if array.size and not (np.isfinite(array.min()) and np.isfinite(array.max())):
        bad = int((~np.isfinite(array)).sum())
        raise ValueError(
            f'`{name}` must be finite, got {bad} NaN or infinite values among {array.size}'
        )
    return array


def to_bool(name: str, values: Array) -> np.ndarray:
    """Return ``values`` as booleans, or raise ValueError if they are neither boolean nor 0/1."""
    array = to_numpy(values)
    if array.dtype == np.bool_:
        return array
    result = array == 1
    if not np.logical_or(result, array == 0).all():
        strange = np.unique(array[~result & (array != 0)])[:5].tolist()
        raise ValueError(f'`{name}` must be boolean or hold only 0 and 1, got {strange}')
    return result


def check_integers(name: str, labels: np.ndarray | torch.Tensor) -> None:
    """Raise ValueError if labels are no integers: a label of 1.7 stands for nothing."""
    if isinstance(labels, torch.Tensor):
        whole = not (labels.is_floating_point() or labels.is_complex())
        whole &= labels.dtype != torch.bool
    else:
        whole = np.issubdtype(labels.dtype, np.integer)
    if not whole:
        raise ValueError(f'`{name}` must hold integers, got {labels.dtype}')


def check_same_shape(**arrays: np.ndarray | torch.Tensor) -> None:
    """Raise ValueError, naming the arguments, if the shapes of the arrays differ."""
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        listed = ', '.join(f'`{name}` {shape}' for name, shape in shapes.items())
        raise ValueError(f'arrays must have the same shape, got {listed}')


def check_recall_and_rule(recall: float, rule: str) -> None:
    """Raise ValueError if the arguments of ``fpr_at_recall`` are not allowed."""
    if not 0 < recall <= 1:
        raise ValueError(f'`recall` must be in (0, 1], got {recall}')
    if rule not in FPR_RULES:
        raise ValueError(f'`rule` must be one of {FPR_RULES}, got {rule!r}')
