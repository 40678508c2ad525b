"""Render MiniStreets, a small road-scene dataset with out-of-distribution objects.

Example: ``python tools/dataset_converters/mini_streets.py data/mini_streets``
"""

import sys

from mini_streets.command import main  # the folder beside this file

if __name__ == '__main__':
    sys.exit(main())
