"""Preparation of downloaded benchmarks: unpack, check, list, and write down what there is.

``prepare`` does it all; the tools in ``tools/dataset_converters`` are ``main`` of one benchmark:

1. ``benchmarks`` says where the files of each benchmark lie, in every layout in use;
2. ``sources`` reads folders and archives;
3. ``plan`` finds out which file goes where, and ``report`` what is missing or too many;
4. ``writing`` writes;
5. ``checking`` opens every file once;
6. ``summary`` writes the lists of splits by content, and the manifest.
"""

from .benchmarks import BDD_ANOMALY, MUAD, STREET_HAZARDS
from .cli import main
from .description import Benchmark
from .prepare import prepare

__all__ = ['BDD_ANOMALY', 'MUAD', 'STREET_HAZARDS', 'Benchmark', 'main', 'prepare']
