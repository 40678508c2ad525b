"""Lists that several tests use."""

from ablation import Ablation, Group
from helpers.tool_runner import ABNN_CONFIG, BASE_CONFIG


def make_group(*variants, name='g', scores=('msp',), axis='', answer='', remark=''):
    return Group(name, 'Title', 'Why?', answer, remark, scores, axis, variants)


def make_ablation(*groups, **changes):
    content = dict(
        title='T',
        config=str(ABNN_CONFIG),
        base=str(BASE_CONFIG),
        base_checkpoint='base/{seed}.pth',
        data_root='images',
        split='some images',
        seeds=(0, 1),
        scores=('entropy', 'msp', 'mutual_information'),
        train={'val_cfg': 'None'},
        test={'test_evaluator.pooled': 'False'},
        groups=groups,
    )
    return Ablation(**{**content, **changes})
