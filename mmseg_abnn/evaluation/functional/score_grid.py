"""The fixed cells that scores are counted in: octaves of floating-point numbers, evenly divided.

An octave [2^e, 2^(e+1)) of float32 numbers holds 2^23 values. The grid divides it into
2^bits(e) equal cells, so the cell of a score is its exponent and the leading bits of its mantissa:
exact, the same on every machine, and never out of order. Probabilities and entropies are spread
evenly in the octaves up to 4 and piled up logarithmically below, so the upper octaves have the most
cells, and their number halves every two octaves downwards; logits, energies and distances lie in
[1/8, 64) with either sign. Other octaves have few cells.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

_MANTISSA_BITS = 23
FINEST = 21
_OUTSIDE = 10
NUM_OCTAVES = 255  # of finite numbers, by biased exponent; 0 holds zero and the subnormal numbers
_BIAS = 127


def octave_bits(negative: bool, coarser: int) -> list[int]:
    """Binary logarithm of the number of cells in each octave.

    Args:
        negative: Of scores below zero; otherwise of scores from zero upwards.
        coarser: How many bits to leave out everywhere.

    Returns:
        255 numbers, from zero and subnormal numbers up to the octave of the largest float32.
    """
    bits = []
    for exponent in range(-_BIAS, NUM_OCTAVES - _BIAS):
        if negative:
            fine = FINEST - 2 if -3 <= exponent < 6 else 0
        elif exponent < 2:
            fine = FINEST - max(0, -1 - exponent) // 2
        else:
            fine = FINEST - 2 if exponent < 6 else 0
        bits.append(max(max(fine, _OUTSIDE) - coarser, 0))
    return bits


class OctaveTable(NamedTuple):
    """What is needed of each octave to place a bit pattern; int32, shape (255,).

    The cell of a pattern is ``starts + (pattern >> shifts)``; the bits below its resolution are
    ``pattern & residues``.
    """

    starts: Tensor
    shifts: Tensor
    residues: Tensor


@lru_cache
def octave_table(negative: bool, coarser: int, device: torch.device) -> OctaveTable:
    """Return the table of the scores of one sign."""
    bits = torch.tensor(octave_bits(negative, coarser))
    shifts = _MANTISSA_BITS - bits
    # The exponent is part of a shifted pattern: taken off by the start of the octave.
    octaves = torch.arange(NUM_OCTAVES)
    starts = torch.cumsum(1 << bits, 0) - (1 << bits) - ((octaves << _MANTISSA_BITS) >> shifts)
    table = (starts, shifts, (1 << shifts) - 1)
    return OctaveTable(*(column.to(device, torch.int32) for column in table))


def num_cells(negative: bool, coarser: int) -> int:
    """Return the number of cells of the scores of one sign."""
    return sum(1 << bits for bits in octave_bits(negative, coarser))


def describe_cells(cells: Tensor, negative: bool, coarser: int) -> tuple[Tensor, Tensor]:
    """Return the octave of each cell, int64, and its smallest magnitude, float64.

    Args:
        cells: Int64, of shape (cells,).
        negative: Whether the scores are below zero.
        coarser: How many bits the octaves have less than in the finest grid.
    """
    bits = torch.tensor(octave_bits(negative, coarser), device=cells.device)
    ends = torch.cumsum(1 << bits, 0)
    octaves = torch.searchsorted(ends, cells, right=True)
    bits = bits[octaves]
    mantissa = (cells - (ends[octaves] - (1 << bits))) << (_MANTISSA_BITS - bits)
    pattern = (octaves << _MANTISSA_BITS) + mantissa
    return octaves, pattern.to(torch.int32).view(torch.float32).double()


def split_pattern(magnitudes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the bit pattern of float32 magnitudes, and the octave that each lies in; int32."""
    pattern = magnitudes.view(torch.int32)
    return pattern, pattern >> _MANTISSA_BITS
