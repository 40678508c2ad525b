"""The numbers of a test in a file, whatever they are."""

import json

import numpy as np
import pytest
import torch

from mmseg_abnn.apis import read_metrics, save_metrics, write_metrics

METRICS = {
    'mIoU': 50.25,
    'NLL': float('inf'),
    'energy': -np.float32('inf'),
    'other': torch.tensor(float('nan')),
    'count': np.int64(3),
}
EXPECTED = {
    'mIoU': 50.25,
    'NLL': None,
    'energy': None,
    'other': None,
    'count': 3,
    'not_finite': {'NLL': 'infinite', 'energy': '-infinite', 'other': 'not a number'},
    'not_measured': 'AUPR',
}


def test_numbers_that_json_does_not_know(tmp_path):
    path = write_metrics(str(tmp_path / 'new'), METRICS, 'AUPR')
    assert path == str(tmp_path / 'new/metrics.json')
    with open(path) as file:
        assert json.loads(file.read(), parse_constant=pytest.fail) == EXPECTED
    # whoever reads them has the numbers again
    again = read_metrics(tmp_path / 'new')
    assert again.keys() == METRICS.keys()
    assert (again['mIoU'], again['NLL'], again['energy']) == (50.25, np.inf, -np.inf)
    assert np.isnan(again['other'])
    write_metrics(str(tmp_path), {'mIoU': 50.25})
    assert read_metrics(tmp_path) == {'mIoU': 50.25}
    assert json.loads((tmp_path / 'metrics.json').read_text()) == {'mIoU': 50.25}


def test_a_folder_that_cannot_be_written_to(tmp_path, capsys, log):
    (tmp_path / 'file').write_text('no folder')
    save_metrics(str(tmp_path / 'file'), METRICS, 'AUPR')
    printed = capsys.readouterr().out
    assert json.loads(printed[printed.index('Metrics:\n') + 9 :]) == EXPECTED
    assert any('metrics.json could not be written' in text for text in log)
