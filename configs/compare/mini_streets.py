# What tools/analysis_tools/compare.py compares on MiniStreets. Made by
#   BASE=configs/deeplabv3plus/deeplabv3plus_r18-d8_mini_streets.py; DIR=work_dirs/compare
#   for N in 0 1 2 10 20; do
#     python tools/train.py $BASE --work-dir $DIR/$N/base --cfg-options randomness.seed=$N
#   done
# and, for each SEED in 0, 1, 2, by
#   python tools/train.py configs/abnn/deeplabv3plus_mini_streets.py --work-dir $DIR/$SEED/abnn \
#       --cfg-options load_from=$DIR/$SEED/base/iter_700.pth randomness.seed=$((1000 * SEED))
#   python tools/train.py configs/abnn/deeplabv3plus_mini_streets.py --work-dir $DIR/$SEED/control \
#       --cfg-options load_from=$DIR/$SEED/base/iter_700.pth randomness.seed=$((1000 * SEED)) \
#       abnn.alpha=0
#   python tools/train.py configs/abnn/deeplabv3plus_mini_streets.py \
#       --work-dir $DIR/$SEED/abnn_few --cfg-options load_from=$DIR/$SEED/base/iter_700.pth \
#       randomness.seed=$((1000 * SEED)) abnn.alpha=0.2
#   python tools/misc/fit_temperature.py $BASE $DIR/$SEED/base/iter_700.pth \
#       --work-dir $DIR/$SEED/fit --out $DIR/$SEED/temperature.py
#   python tools/misc/merge_networks.py $DIR/$SEED/base/iter_700.pth $DIR/10/base/iter_700.pth \
#       $DIR/20/base/iter_700.pth --out $DIR/$SEED/ensemble.pth
# Member m is trained from randomness.seed + m: no two members of all seeds share theirs. Two
# networks of a Deep Ensemble are the same for all seeds, so its standard errors are too small.
title = 'MiniStreets'
seeds = [0, 1, 2]
reference = 'deterministic'  # costs are relative to this method's
_dir = 'work_dirs/compare/{seed}'
_base = f'{_dir}/base'
_scores = ['msp', 'entropy', 'mutual_information']
_control = dict(
    config='configs/abnn/deeplabv3plus_mini_streets.py',
    checkpoint=f'{_dir}/control/abnn.pth',
    scores=_scores,
    trained_in=[_base, f'{_dir}/control'],
)
_without_noise = {'abnn.draws': 'none'}
methods = [
    dict(
        name='deterministic',
        config='configs/deeplabv3plus/deeplabv3plus_r18-d8_mini_streets.py',
        checkpoint=f'{_base}/iter_700.pth',
        scores=['msp', 'max_logit', 'entropy', 'energy'],
        trained_in=[_base],
    ),
    dict(
        name='temperature scaling',
        config=f'{_dir}/temperature.py',
        checkpoint=f'{_base}/iter_700.pth',
        scores=['msp', 'entropy'],
        trained_in=[_base],
    ),
    dict(
        name='MC-Dropout',
        config='configs/mc_dropout/deeplabv3plus_mini_streets.py',
        checkpoint=f'{_base}/iter_700.pth',
        scores=_scores,
        trained_in=[_base],
        options={'model.test_cfg.seed': '{seed}'},
    ),
    dict(
        name='Deep Ensembles',
        config='configs/deep_ensembles/deeplabv3plus_mini_streets.py',
        checkpoint=f'{_dir}/ensemble.pth',
        scores=_scores,
        trained_in=[_base, 'work_dirs/compare/10/base', 'work_dirs/compare/20/base'],
    ),
    dict(
        name='control: no noise',
        **_control,
        options={
            **_without_noise,
            'model.test_cfg.temperature': 1.0,
            'model.test_cfg.labels_from': 'mean',
        },
    ),
    dict(name="control, the ABNN's temperature", **_control, options=_without_noise),
    dict(  # the best with few draws, by docs/ablation.md
        name='ABNN, three draws',
        config='configs/abnn/deeplabv3plus_mini_streets.py',
        checkpoint=f'{_dir}/abnn_few/abnn.pth',
        scores=_scores,
        trained_in=[_base, f'{_dir}/abnn_few'],
        options={
            'abnn.alpha': 0.2,
            'abnn.num_samples': 3,
            'abnn.seed': '{seed}',
            'model.test_cfg.temperature': 0.85,
            'model.test_cfg.labels_from': 'mean',
        },
    ),
    dict(
        name='ABNN',
        config='configs/abnn/deeplabv3plus_mini_streets.py',
        checkpoint=f'{_dir}/abnn/abnn.pth',
        scores=_scores,
        # its own training and that of the network it starts from
        trained_in=[_base, f'{_dir}/abnn'],
        options={'abnn.seed': '{seed}'},
    ),
]
