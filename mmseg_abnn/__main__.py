"""``python -m mmseg_abnn``: the command ``mmseg-abnn``."""

from .command import main

if __name__ == '__main__':
    main()
