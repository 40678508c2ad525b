"""Measure what each setting of an ABNN does: variants of its config, each over several seeds.

Example: ``python tools/analysis_tools/ablation.py configs/ablation/mini_streets.py --quick``
"""

from ablation.command import main  # the folder beside this file

if __name__ == '__main__':
    main()
