"""Prepare StreetHazards for ``StreetHazardsDataset``: unpack and check it. See docs/datasets.md.

Example: ``python tools/dataset_converters/street_hazards.py streethazards_*.tar``
"""

from __future__ import annotations

import sys

from preparation import STREET_HAZARDS, main

if __name__ == '__main__':
    sys.exit(main(STREET_HAZARDS))
