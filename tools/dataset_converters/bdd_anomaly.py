"""Prepare BDD-Anomaly for ``BDDAnomalyDataset``: unpack, check, split by content.

See docs/datasets.md. Example: ``python tools/dataset_converters/bdd_anomaly.py ~/bdd100k``
"""

from __future__ import annotations

import sys

from preparation import BDD_ANOMALY, main

if __name__ == '__main__':
    sys.exit(main(BDD_ANOMALY))
