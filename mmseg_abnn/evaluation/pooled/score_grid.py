"""The fixed cells that scores are counted in: octaves of floating-point numbers, evenly divided.

An octave [2^e, 2^(e+1)) of float32 numbers holds 2^23 values. The grid divides it into
2^bits(e) equal cells, so the cell of a score is its exponent and the leading bits of its mantissa:
exact, the same on every machine, and never out of order.

Of scores from zero upwards the cells are 2^-24 wide below 1, which is how far probabilities next to
1 are apart: every 1 - p of a float32 probability p has a cell of its own. They are 2^-23 wide up to
2 and 2^-22 up to 4, as float32 numbers are. Below 2^-8, where scores pile up logarithmically, an
octave has 2^16 cells at least, down to 2^-32. Logits, energies and distances lie in [1/8, 64) with
either sign, in octaves of 2^19 cells. Other octaves have 2^10.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

_MANTISSA_BITS = 23
FINEST = 23
_WIDE = 19
_SMALL = 16
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
        if not negative and exponent < 0:
            fine = max(24 + exponent, _SMALL if exponent >= -32 else _OUTSIDE)
        elif not negative and exponent < 2:
            fine = FINEST
        else:
            fine = _WIDE if -3 <= exponent < 6 else _OUTSIDE
        bits.append(max(fine - coarser, 0))
    return bits


class Placed(NamedTuple):
    """Where scores fall; each field of shape (scores,).

    Attributes:
        cells: Int64; never falls where the magnitude rises.
        octaves: Int32.
        residues: Int32; the bits below the resolution of the cell. A score with none is aligned.
    """

    cells: np.ndarray
    octaves: np.ndarray
    residues: np.ndarray


def place(magnitudes: np.ndarray, negative: bool, coarser: int) -> Placed:
    """Find the cells of scores of one sign.

    Args:
        magnitudes: Absolute values; float32, finite, of shape (scores,).
        negative: Whether the scores are below zero.
        coarser: How many bits the octaves have less than in the finest grid.
    """
    pattern = magnitudes.view(np.int32)
    octaves = pattern >> _MANTISSA_BITS
    codes = _octave_codes(negative, coarser).take(octaves)
    mantissa, shifts = pattern & ((1 << _MANTISSA_BITS) - 1), codes & 31
    cells = mantissa >> shifts
    residues = mantissa - (cells << shifts)
    return Placed((cells + (codes >> 5)).astype(np.int64), octaves, residues)


class OctaveRun(NamedTuple):
    """The scores of one octave among sorted ones.

    Attributes:
        octave: Its biased exponent.
        patterns: Int32, ascending, of shape (scores,).
        shift: Number of mantissa bits below the resolution of a cell.
        offset: The cell of a score is ``(pattern >> shift) + offset``.
    """

    octave: int
    patterns: np.ndarray
    shift: int
    offset: int

    def cells(self, part: slice) -> np.ndarray:
        """Return the cells of some of the scores, int64."""
        cells = (self.patterns[part] >> self.shift).astype(np.int64)
        cells += self.offset
        return cells

    def is_aligned(self) -> bool:
        """Tell whether no score has a bit below the resolution of its cell."""
        return not int(np.bitwise_or.reduce(self.patterns)) & ((1 << self.shift) - 1)


def octave_runs(patterns: np.ndarray, negative: bool, coarser: int) -> Iterator[OctaveRun]:
    """Split sorted scores of one sign into octaves: in each, a cell is a shift and a sum away.

    Args:
        patterns: The float32 magnitudes as int32, ascending, of shape (scores,).
        negative: Whether the scores are below zero.
        coarser: How many bits the octaves have less than in the finest grid.
    """
    codes = _octave_codes(negative, coarser)
    ends = np.searchsorted(patterns, np.arange(NUM_OCTAVES + 1, dtype=np.int32) << _MANTISSA_BITS)
    for octave in np.flatnonzero(np.diff(ends)).tolist():
        shift, first = int(codes[octave]) & 31, int(codes[octave]) >> 5
        offset = first - (octave << _MANTISSA_BITS >> shift)
        yield OctaveRun(octave, patterns[ends[octave] : ends[octave + 1]], shift, offset)


@lru_cache
def _octave_codes(negative: bool, coarser: int) -> np.ndarray:
    """For each octave its first cell, and in the lowest 5 bits the shift of the mantissa; int32."""
    bits = np.array(octave_bits(negative, coarser))
    starts = np.cumsum(1 << bits) - (1 << bits)
    return (starts << 5 | (_MANTISSA_BITS - bits)).astype(np.int32)


def num_cells(negative: bool, coarser: int) -> int:
    """Return the number of cells of the scores of one sign."""
    return sum(1 << bits for bits in octave_bits(negative, coarser))


def octave_slices(negative: bool, coarser: int) -> list[slice]:
    """Return the cells of each octave, from zero upwards."""
    slices, start = [], 0
    for bits in octave_bits(negative, coarser):
        slices.append(slice(start, start + (1 << bits)))
        start += 1 << bits
    return slices


def cell_edges(cells: np.ndarray, negative: bool, coarser: int) -> np.ndarray:
    """Return the smallest magnitude of each cell, float64.

    Args:
        cells: Int64, of shape (cells,).
        negative: Whether the scores are below zero.
        coarser: How many bits the octaves have less than in the finest grid.
    """
    bits = np.array(octave_bits(negative, coarser))
    ends = np.cumsum(1 << bits)
    octaves = np.searchsorted(ends, cells, side='right')
    bits = bits[octaves]
    mantissa = (cells - (ends[octaves] - (1 << bits))) << (_MANTISSA_BITS - bits)
    pattern = (octaves << _MANTISSA_BITS) + mantissa
    return pattern.astype(np.int32).view(np.float32).astype(np.float64)
