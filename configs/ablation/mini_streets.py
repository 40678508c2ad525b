# What tools/analysis_tools/ablation.py varies on MiniStreets. Tested are images of a seed of their
# own, so that nothing is chosen on those that are reported:
#   python tools/dataset_converters/mini_streets.py data/mini_streets_selection --seed 1 \
#       --train 0 --val 0 --test-id 60 --test-ood 60
# The networks to start from are those of configs/compare/mini_streets.py, which says how they are
# made; the noise scales of each layer are measured on the validation images of data/mini_streets.
title = 'MiniStreets'
config = 'configs/ablation/mini_streets_reference.py'
base = 'configs/deeplabv3plus/deeplabv3plus_r18-d8_mini_streets.py'
base_checkpoint = 'work_dirs/compare/{seed}/base/iter_700.pth'
data_root = 'data/mini_streets_selection'
split = '60 images without and 60 with OOD objects, rendered with another seed than the test set'
seeds = [0, 1, 2]
scores = ['msp', 'entropy', 'mutual_information']  # the first one heads the tables
# the members are tested together afterwards; one is trained again sooner than it is resumed
train = {
    'val_cfg': None,
    'val_dataloader': None,
    'val_evaluator': None,
    'default_hooks.checkpoint.interval': -1,
    'default_hooks.checkpoint.save_last': False,
    'optim_wrapper.type': 'CPUAmpOptimWrapper',  # bfloat16: there are many trainings
}
test = {'test_cfg.fp16': True}  # bfloat16 on a CPU

_alphas = [0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0]
_alpha = 0.2  # the reference's
_draws = {'abnn.num_samples': 9}  # without members as many draws as with them, M = L = 3


def _eta(**settings: object) -> dict:
    """Replace the whole dict."""
    return {'abnn.eta._delete_': True, **{f'abnn.eta.{k}': v for k, v in settings.items()}}


def _sharpened(*pairs: tuple[float, float]) -> list[dict]:
    """Return variants with noise in the backbone alone, by noise scale and temperature."""
    return [
        dict(
            name=f'backbone, alpha = {alpha}, T = {temperature}',
            train={'abnn.include': ['backbone.*'], 'abnn.alpha': alpha},
            test={'model.test_cfg.temperature': temperature},
        )
        for alpha, temperature in pairs
    ]


def _more_draws(alpha: float, temperature: float, draws: int, labels: str = '') -> dict:
    """Return a variant with more draws; ``labels`` says whose label map it has, if not theirs."""
    test = {'abnn.num_samples': draws, 'model.test_cfg.temperature': temperature}
    name = f'alpha = {alpha}, T = {temperature}, L = {draws}'
    if labels:
        test['model.test_cfg.labels_from'] = labels
        name += f', labels of the {labels} network'
    return dict(name=name, train={'abnn.alpha': alpha}, test=test)


def _equal_effect(alpha: float, temperature: float) -> dict:
    """Return a variant with noise scales for each layer."""
    return dict(
        name=f'effect of alpha = {alpha}, T = {temperature}',
        equal_effect=alpha,
        test={'model.test_cfg.temperature': temperature},
    )


groups = [
    dict(
        name='search',
        title='Noise scale and temperature together',
        question='Which combination is better than the deterministic network in all four figures?',
        answer='alpha = 0.2 with T = 0.85: on the mean of three seeds it is better in all four '
        'figures, for a little mIoU.',
        remark='Three seeds. With alpha = 0.2 and T = 0.85 all four figures are better than '
        'those of the deterministic network with either score, on the mean of the seeds, for '
        '0.2 points of mIoU: the best with three draws. The lower FPR95 is the doing of one seed. '
        'A lower T helps calibration and, with the entropy, AUPR, and costs FPR95; more noise '
        'gains AUPR and costs mIoU.',
        scores=['entropy', 'msp'],
        variants=_sharpened(
            (0.15, 0.9), (0.15, 0.85), (0.2, 0.9), (0.2, 0.85), (0.2, 0.8), (0.3, 0.75)
        ),
    ),
    dict(
        name='more_draws',
        title='More noise with more draws',
        question='Does more noise pay, if more draws average it and the labels stay as they were?',
        answer='Yes: alpha = 0.3 and T = 0.65 with ten draws and the labels of the base network '
        'gain twice the AUPR of alpha = 0.2, and cost no mIoU.',
        remark='Three seeds. Yes: alpha = 0.3 with ten draws has twice the gain in AUPR of '
        'alpha = 0.2, and the labels of the base network cost no mIoU. T = 0.75 is the best in '
        'FPR95 but calibrates worse than the deterministic network; T = 0.65 is better than it '
        'in all four figures with either score, on the mean of the seeds: that became the '
        'setting of MiniStreets. With six draws FPR95 is higher than without noise, if MSP is '
        'the score. At alpha = 0.2 ten draws have the AUPR of three, and on the mean a lower '
        'FPR95.',
        scores=['entropy', 'msp'],
        variants=[
            _more_draws(0.2, 0.85, 10),
            _more_draws(0.3, 0.75, 10, 'base'),
            _more_draws(0.3, 0.65, 10, 'base'),
            _more_draws(0.3, 0.65, 6, 'base'),
        ],
    ),
    dict(
        name='alpha',
        title='Noise scale, with and without fine-tuning',
        question='How much noise is good, and what does the fine-tuning add to it?',
        answer='Scales of 0.1 to 0.3 are useful, from 0.5 on mIoU and calibration break down; '
        'fine-tuning wins back mIoU and does not help OOD detection (one seed).',
        remark='One seed. Useful scales are 0.1 to 0.3. At 0.01, as in public code of the '
        'authors, only the temperature is seen; 0.5 costs mIoU and calibration much and '
        'AUPR a little, and 1.0, as the paper writes it, destroys the network with this budget. '
        'Fine-tuning wins back mIoU; it does not help OOD detection: the untrained '
        'network with noise has the lower FPR95.',
        scores=['entropy', 'msp'],
        axis='alpha',
        variants=[
            *[
                dict(
                    name=f'alpha = {alpha}, fine-tuned',
                    train={'abnn.alpha': alpha},
                    value=alpha,
                    series='fine-tuned',
                )
                for alpha in _alphas
            ],
            *[
                dict(
                    name=f'alpha = {alpha}, not fine-tuned',
                    test={'abnn.alpha': alpha, **_draws},
                    fine_tuned=False,
                    value=alpha,
                    series='not fine-tuned',
                )
                for alpha in _alphas
            ],
        ],
    ),
    dict(
        name='control',
        title='Control: the same training without noise',
        question='Does the noise make the difference, or do more training and an ensemble?',
        answer='The noise makes it: without noise the same training gains nothing in AUROC and '
        'FPR95, and with noise even an untrained network has most of the gain.',
        remark='Three seeds. Without noise, the same training and temperature gain nothing in '
        'AUROC and FPR95: the gain is that of the noise. It hardly matters whether the '
        'members were trained under it, and without any training most of the gain is '
        'there too, for 0.5 points of mIoU.',
        scores=['entropy', 'msp'],
        variants=[
            dict(
                name='trained and tested without noise',
                train={'abnn.alpha': 0},
                test={'abnn.num_samples': 1},
            ),
            dict(
                name='trained without noise, tested with it',
                train={'abnn.alpha': 0},
                test={'abnn.alpha': _alpha},
            ),
            dict(name='trained with noise, tested without it', test={'abnn.alpha': 0}),
            dict(name='not trained, tested with noise', test=_draws, fine_tuned=False),
        ],
    ),
    dict(
        name='noise_shape',
        title='Noise per channel or per element',
        question='Is noise on the gains (per channel) better than noise on the activations?',
        answer='Yes: noise per element finds no OOD objects at the scale of the reference, and '
        'ruins the network at a larger one (one seed).',
        remark='One seed. Noise per element finds no OOD objects at the scale of the '
        'reference, and ruins the network at a larger one.',
        scores=['entropy', 'msp'],
        variants=[
            dict(name='per channel', train={'abnn.noise_shape': 'channel'}),
            dict(name='per element', train={'abnn.noise_shape': 'element'}),
            dict(
                name='per element, alpha = 0.5',
                train={'abnn.noise_shape': 'element', 'abnn.alpha': 0.5},
            ),
        ],
    ),
    dict(
        name='eta',
        title='Class weights: families',
        question='From which distribution should the class weights 1 + eta of a member be drawn?',
        answer='It makes no difference: no family differs from another, or from no class weights '
        'at all, by more than the seeds do.',
        remark='Three seeds. No family differs from another, or from no class weights at all, by '
        'more than the seeds do: here the randomness of the loss gains nothing. Sparse weights, '
        'which change the loss of a few classes only, stay the default.',
        scores=['entropy', 'msp'],
        variants=[
            dict(name='none', train=_eta(type='sparse', weight=1.0)),
            dict(name='sparse, weight 0.5', train=_eta(type='sparse', weight=0.5)),
            dict(name='normal, std 0.5', train=_eta(type='normal', std=0.5)),
            dict(name='uniform, ± 0.5', train=_eta(type='uniform', low=-0.5, high=0.5)),
        ],
    ),
    dict(
        name='eta_strength',
        title='Class weights: strength',
        question='Which weight should the randomly chosen classes of a member have?',
        answer='It makes no difference beyond that of the seeds; on the mean weight 0 is the '
        'worst.',
        remark='Three seeds. No weight differs from another by more than the seeds do. On the mean '
        'weight 0 is the worst: it alone calibrates worse than the deterministic network.',
        scores=['entropy', 'msp'],
        axis='weight of the chosen classes',
        variants=[
            dict(name=f'weight {weight}', train=_eta(type='sparse', weight=weight), value=weight)
            for weight in (0.0, 0.5, 1.0, 2.0)
        ],
    ),
    dict(
        name='trainable',
        title='What is trained',
        question='Is it enough to train the normalization layers?',
        answer='Yes: training everything at this rate makes a worse network (one seed).',
        remark='One seed. Training everything at this rate makes a network that is worse in '
        'all but ECE.',
        scores=['entropy', 'msp'],
        variants=[
            dict(name='normalization layers', train={'abnn.trainable': 'norm'}),
            dict(name='all parameters', train={'abnn.trainable': 'all'}),
        ],
    ),
    dict(
        name='statistics',
        title='Running statistics',
        question='Should the fine-tuning update the running statistics? The reference fixes them.',
        answer='It makes no difference beyond that of two trainings (one seed).',
        remark='One seed. No difference beyond that of two trainings.',
        scores=['entropy', 'msp'],
        variants=[
            dict(name='updated', train={'custom_hooks.0.norm_eval': False}),
        ],
    ),
    dict(
        name='budget',
        title='Budget',
        question='How many iterations does the fine-tuning of a member take?',
        answer='Forty are enough: more change nothing (one seed).',
        remark='One seed. Forty iterations are enough: more change nothing.',
        scores=['entropy', 'msp'],
        axis='iterations of a member',
        variants=[
            dict(name=f'{number} iterations', train={'abnn.max_iters': number}, value=number)
            for number in (40, 80, 160)
        ],
    ),
    dict(
        name='learning_rate',
        title='Learning rate',
        question='Which learning rate does the fine-tuning need?',
        answer='It matters little: higher rates cost some AUPR, AUROC and FPR95 (one seed).',
        remark='One seed. It matters little: higher rates cost some AUPR, AUROC and FPR95.',
        scores=['entropy', 'msp'],
        axis='learning rate',
        variants=[
            dict(name=f'rate {rate}', train={'abnn.optimizer.lr': rate}, value=rate)
            for rate in (0.001, 0.01, 0.03, 0.1)
        ],
    ),
    dict(
        name='place',
        title='Where the noise is',
        question='Which layers should be Bayesian? The others are neither noisy nor trained.',
        answer='Those of the backbone: noise in the heads finds no OOD objects, and in all layers '
        'it costs more mIoU and calibration for little more AUPR.',
        remark='Three seeds for all layers and scales of equal effect, one for the others. Noise '
        'in the heads finds no OOD objects and costs mIoU; in all layers it costs more mIoU and '
        'calibration than in the backbone, for little more AUPR: hence the default. Scales of '
        'equal effect for each layer gain a little, see below.',
        scores=['entropy', 'msp'],
        variants=[
            dict(name='all layers', train={'abnn.include': ['*']}),
            dict(name='backbone', train={'abnn.include': ['backbone.*']}),
            dict(name='heads', train={'abnn.include': ['decode_head.*', 'auxiliary_head.*']}),
            dict(
                name='early: stem, stages 1 and 2',
                train={
                    'abnn.include': ['backbone.stem.*', 'backbone.layer1.*', 'backbone.layer2.*']
                },
            ),
            dict(
                name='late: stages 3 and 4',
                train={'abnn.include': ['backbone.layer3.*', 'backbone.layer4.*']},
            ),
            dict(name='backbone, scales of equal effect', equal_effect=_alpha),
        ],
    ),
    dict(
        name='equal_effect',
        title='Noise scales of equal effect',
        question='Are scales of equal effect for each layer better, with their own temperature?',
        answer='Hardly: a little more AUPR, paid with a little mIoU, is not worth a measurement '
        'that every network would need (two seeds).',
        remark='Two seeds. What one scale for all layers does at the same T, these do too, with a '
        'little more AUPR, for a little more mIoU: not enough for a measurement that every network '
        'would need. In every network the layers that change the output are the stem '
        '(scales of 0.10 to 0.18) and the skip connections (0.35 to 0.46); the residual branches '
        'take the largest scale that is allowed.',
        scores=['entropy', 'msp'],
        variants=[
            _equal_effect(0.15, 0.85),
            _equal_effect(0.2, 0.85),
            _equal_effect(0.2, 0.8),
            _equal_effect(0.3, 0.75),
        ],
    ),
    dict(
        name='members',
        title='Members',
        question='How many members M are needed?',
        answer='Five are better than three in AUPR, AUROC and FPR95, ten are not better than five.',
        remark='Three seeds, three draws each. Five members are better than three in AUPR, AUROC '
        'and FPR95, ten are not better than five. With fewer passes they do more than more draws '
        'of three members, see below.',
        scores=['entropy', 'msp'],
        axis='M',
        variants=[
            dict(
                name=f'M = {number}',
                train={'abnn.num_members': trained},
                members=number,
                value=number,
            )
            for number, trained in ((1, 5), (2, 5), (5, 5), (10, 10))
        ],
    ),
    dict(
        name='draws',
        title='Draws',
        question='How many draws L of each member are needed?',
        answer='Three at least: from there on AUPR and AUROC hardly change, but the mean FPR95 '
        'falls up to ten draws.',
        remark='Three seeds, three members. One draw is not enough. From three on AUPR and AUROC '
        'hardly change; the mean FPR95 falls up to ten draws at least, and the seeds differ '
        'less. The default of three is for the time.',
        scores=['entropy', 'msp'],
        axis='L',
        variants=[
            dict(name=f'L = {number}', test={'abnn.num_samples': number}, value=number)
            for number in (1, 3, 6, 10)
        ],
    ),
    dict(
        name='temperature',
        title='Temperature',
        question='Averaging makes probabilities less certain: do sharper draws calibrate them?',
        answer='Yes: a lower T helps calibration and, with the entropy, AUPR, and it costs FPR95 '
        '(one seed).',
        remark='One seed; see the search above for three. A lower T helps calibration and, with '
        'the entropy, AUPR, a higher one AUROC and FPR95.',
        axis='T',
        scores=['entropy', 'msp'],
        variants=[
            dict(name=f'T = {value}', test={'model.test_cfg.temperature': value}, value=value)
            for value in (0.8, 0.88, 1.0)
        ],
    ),
    dict(
        name='scores',
        title='Scores',
        question='Which score finds OOD objects best?',
        answer='The entropy is the safe choice: the mutual information has the worse FPR95, with '
        'and without the fine-tuning (one seed).',
        remark='One seed. The entropy is the safe choice. The mutual information has an AUPR of '
        '16.3 without and of 10.9 with the fine-tuning, and a worse FPR95 in both cases.',
        scores=['entropy', 'msp', 'mutual_information'],
        variants=[dict(name='not fine-tuned', test=_draws, fine_tuned=False)],
    ),
    dict(
        name='labels',
        title='Label map',
        question='Should the label map be that of the base network? The reference takes the draws.',
        answer='It keeps the mIoU of the base network exactly and changes no OOD score; here that '
        'mIoU is the lower one (one seed).',
        remark='One seed. The label map of the base network keeps its mIoU exactly, here for a '
        'worse one.',
        scores=['entropy', 'msp'],
        variants=[
            dict(name='base network', test={'model.test_cfg.labels_from': 'base'}),
        ],
    ),
]
