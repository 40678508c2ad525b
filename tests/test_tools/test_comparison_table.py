import pytest

from helpers.tool_loader import load_tool

comparison_table = load_tool('demonstration/comparison_table.py').comparison_table

DETERMINISTIC = {
    'mIoU': 60.126,
    'ECE': 6.5,
    'pooled/ECE': 5.25,
    'AUPR': 20.0,
    'AUROC': 85.0,
    'FPR95': 40.0,
    'pooled/AUPR': 21.0,
    'pooled/AUROC': 86.0,
    'pooled/FPR95': 41.0,
    'entropy/AUPR': 22.0,
    'entropy/AUROC': 87.0,
    'entropy/FPR95': 42.0,
    'num_images': 3.0,
}
ABNN = DETERMINISTIC | {
    'mIoU': 62.0,
    'mutual_information/AUPR': 24.0,
    'mutual_information/AUROC': 91.0,
    'mutual_information/FPR95': 21.999,
}
SCORES = ('msp', 'entropy', 'mutual_information')


def parse(table):
    """The cells of each table row, block by block."""
    return [
        [
            [cell.strip() for cell in line.strip('|').split('|')]
            for line in block.splitlines()
            if line.startswith('|')
        ]
        for block in table.split('\n\n')
    ]


def test_blocks_and_rows():
    table = comparison_table({'deterministic': DETERMINISTIC, 'ABNN (M=3, L=3)': ABNN}, SCORES)
    means, pooled = parse(table)
    header = ['method', 'score', 'mIoU ↑', 'ECE ↓', 'AUPR ↑', 'AUROC ↑', 'FPR95 ↓']
    assert means == [
        header,
        ['deterministic', 'msp', '60.13', '6.50', '20.00', '85.00', '40.00'],
        ['deterministic', 'entropy', '60.13', '6.50', '22.00', '87.00', '42.00'],
        ['ABNN (M=3, L=3)', 'msp', '62.00', '6.50', '20.00', '85.00', '40.00'],
        ['ABNN (M=3, L=3)', 'entropy', '62.00', '6.50', '22.00', '87.00', '42.00'],
        ['ABNN (M=3, L=3)', 'mutual_information', '62.00', '6.50', '24.00', '91.00', '22.00'],
    ]
    assert pooled == [
        header,
        ['deterministic', 'msp', '60.13', '5.25', '21.00', '86.00', '41.00'],
        ['ABNN (M=3, L=3)', 'msp', '62.00', '5.25', '21.00', '86.00', '41.00'],
    ]
    assert table.index('mean over images') < table.index('pooled over pixels')


def test_absent_numbers():
    means, _ = parse(comparison_table({'a': {'mIoU': 1.0}}, ['msp', 'entropy']))
    assert means[1:] == [['a', 'msp', '1.00', '-', '-', '-', '-']]


def test_nothing_to_compare():
    with pytest.raises(ValueError, match='`results` must hold at least one method'):
        comparison_table({}, SCORES)
    with pytest.raises(ValueError, match='`scores` must hold at least one score'):
        comparison_table({'a': DETERMINISTIC}, [])
