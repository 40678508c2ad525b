# What tools/analysis_tools/compare.py compares on MiniStreets. Made for each seed by
#   python tools/train.py configs/deeplabv3plus/deeplabv3plus_r18-d8_mini_streets.py \
#       --work-dir work_dirs/compare/$SEED/base --cfg-options randomness.seed=$SEED
#   python tools/train.py configs/abnn/deeplabv3plus_mini_streets.py \
#       --work-dir work_dirs/compare/$SEED/abnn --cfg-options \
#       load_from=work_dirs/compare/$SEED/base/iter_700.pth randomness.seed=$((1000 * SEED))
# (member m is trained from randomness.seed + m: no two members of all seeds share theirs)
title = 'MiniStreets'
seeds = [0, 1, 2]
reference = 'deterministic'  # costs are relative to this method's
_base = 'work_dirs/compare/{seed}/base'
_abnn = 'work_dirs/compare/{seed}/abnn'
methods = [
    dict(
        name='deterministic',
        config='configs/deeplabv3plus/deeplabv3plus_r18-d8_mini_streets.py',
        checkpoint=f'{_base}/iter_700.pth',
        scores=['msp', 'max_logit', 'entropy', 'energy'],
        trained_in=[_base],
    ),
    dict(
        name='ABNN',
        config='configs/abnn/deeplabv3plus_mini_streets.py',
        checkpoint=f'{_abnn}/abnn.pth',
        scores=['msp', 'entropy', 'mutual_information'],
        # its own training and that of the network it starts from
        trained_in=[_base, _abnn],
        options={'abnn.seed': '{seed}'},
    ),
]
