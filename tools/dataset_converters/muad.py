"""Prepare MUAD for ``MUADDataset``: unpack and check it. See docs/datasets.md.

Example: ``python tools/dataset_converters/muad.py ~/muad``
"""

from __future__ import annotations

import sys

from preparation import MUAD, main

if __name__ == '__main__':
    sys.exit(main(MUAD))
