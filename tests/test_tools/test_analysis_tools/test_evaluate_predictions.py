"""Saved predictions are measured as they were when they were made."""

import json
import shutil

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from helpers.pictures import count_panels, places_of, read_picture
from helpers.tool_runner import ABNN_CONFIG, data_options, run_tool, succeeded
from mmseg_abnn.datasets import MiniStreetsDataset

SCORES = ('msp', 'entropy', 'mutual_information')  # of the fixture `tested`
OOD_IDS = (19, 20)  # as MUAD stores them


def evaluate(data, predictions, work_dir, *scores):
    arguments = (ABNN_CONFIG, predictions, '--scores', *scores, '--work-dir', work_dir)
    tool = 'analysis_tools/evaluate_predictions.py'
    return run_tool(tool, *arguments, options=data_options(data))


def figures(work_dir):
    return json.loads((work_dir / 'metrics.json').read_text())


def test_saved_maps_give_what_the_test_gave(tested, data, tmp_path):
    succeeded(evaluate(data, tested / 'out', tmp_path, *SCORES))
    expected, found = figures(tested), figures(tmp_path)
    without_logits = {'NLL', 'Brier', 'pooled/NLL', 'pooled/Brier'}
    assert expected.keys() - found.keys() == without_logits
    for name, value in found.items():
        # 1 - (1 - p) rounds: some of 25,000 pixels may change their bin of the ECE
        close = dict(abs=0.01) if 'ECE' in name or 'MCE' in name or 'AURC' in name else dict(abs=0)
        assert value == pytest.approx(expected[name], **close), name
    for line, image in zip(
        (tmp_path / 'per_image.jsonl').read_text().splitlines(),
        (tested / 'report/per_image.jsonl').read_text().splitlines(),
        strict=True,
    ):
        row, before = json.loads(line), json.loads(image)
        for key in ('img_path', 'num_ood', 'mIoU', 'AUPR', 'entropy/FPR95'):
            assert row.get(key) == before.get(key), key


def test_report_of_the_test(tested):
    report = json.loads((tested / 'report/report.json').read_text())
    assert report['metrics'] == figures(tested)
    low, high = report['bounds']['pooled/mutual_information/AUROC']
    assert low <= report['metrics']['pooled/mutual_information/AUROC'] <= high
    assert [row['class'] for row in report['classes']] == list(
        MiniStreetsDataset.METAINFO['classes']
    )
    plots = {path.stem for path in (tested / 'report').glob('*.png')}
    curves = {'roc', 'precision_recall', 'reliability', 'risk_coverage'}
    assert plots == curves | {f'scores_{score}' for score in SCORES}
    # a curve, or a histogram, of a color for each of what is compared, and of no other
    colors = {name: range(2) for name in plots}
    colors |= dict.fromkeys(('roc', 'precision_recall'), range(len(SCORES)))
    colors |= {'reliability': (3,), 'risk_coverage': (0, 2)}
    for name, expected in colors.items():
        picture = read_picture(tested / f'report/{name}.png')
        found = [i for i in range(7) if len(places_of(picture, f'C{i}')) > 20]
        assert found == list(expected), name
        assert count_panels(picture) == 1, name
    # pale bars of C0: the accuracy above, the numbers of pixels below
    upper, lower, _ = np.split(read_picture(tested / 'report/reliability.png'), [490, 650])
    bars = 1 - 0.35 * (1 - np.array(to_rgb('C0')))
    assert len(places_of(upper, bars)) > 100
    assert len(places_of(lower, bars)) > 100
    rows = (tested / 'report/per_image.csv').read_text().splitlines()
    assert len(rows) == 1 + 7
    scalars = next(tested.glob('*/vis_data/scalars.json')).read_text().splitlines()
    tested_scalars = json.loads(scalars[-1])
    assert tested_scalars['test/mIoU'] == pytest.approx(report['metrics']['mIoU'])


def test_files_of_the_muad_challenge(tested, data, tmp_path):
    """Against a plain re-derivation: confidence -conf, means over the images with OOD pixels."""
    folder = tmp_path / 'challenge'
    found = []
    for split in ('test_id', 'test_ood'):
        (folder / split).mkdir(parents=True)
        dataset = MiniStreetsDataset(data_root=str(data), split=split)
        for i in range(len(dataset)):
            saved = tested / f'out/{split}/leftImg8bit/{i:06d}_leftImg8bit'
            confidence = torch.from_numpy(1 - np.load(f'{saved}_msp.npy')).half()
            classes = torch.from_numpy(np.asarray(Image.open(f'{saved}_pred.png')).astype(np.int64))
            torch.save({'conf': confidence, 'pred': classes}, folder / split / f'{saved.name}.pth')
            label = np.asarray(Image.open(dataset.get_data_info(i)['seg_map_path']))
            if split == 'test_ood':
                valid, ood = label != 255, np.isin(label, OOD_IDS)
                numbers = -confidence.numpy().astype(float)[valid], ood[valid]
                found.append(
                    (average_precision_score(*numbers[::-1]), roc_auc_score(*numbers[::-1]))
                )
    succeeded(evaluate(data, folder, tmp_path, 'msp'))
    result = figures(tmp_path)
    expected = 100 * np.mean(found, axis=0)
    np.testing.assert_allclose([result['AUPR'], result['AUROC']], expected, atol=1e-7)
    assert result['mIoU'] == figures(tested)['mIoU']
    # half-precision confidences are told apart exactly: no distance between the bounds
    assert result['pooled/gap'] < 1e-9


def test_score_maps_alone(tested, data, tmp_path):
    folder = tmp_path / 'maps'
    folder.mkdir()
    maps = {path: np.load(path) for path in (tested / 'out').rglob('*_entropy.npy')}
    low, high = min(v.min() for v in maps.values()), max(v.max() for v in maps.values())
    for path, values in maps.items():
        split = path.relative_to(tested / 'out').parts[0]
        (folder / split).mkdir(exist_ok=True)
        stretched = np.round((values - low) / (high - low) * 65535).astype(np.uint16)
        target = folder / split / f'{path.stem.removesuffix("_entropy")}.png'
        Image.fromarray(stretched).save(target)
    succeeded(evaluate(data, folder, tmp_path, 'entropy'))
    result = figures(tmp_path)
    assert 'mIoU' not in result
    expected = figures(tested)['entropy/AUROC']
    assert result['AUROC'] == pytest.approx(expected, abs=0.01)  # rounded to 16 bits


def test_wrong_folders(tested, data, tmp_path):
    def message(folder, *scores):
        result = evaluate(data, folder, tmp_path, *scores)
        assert result.returncode != 0
        return result.stdout + result.stderr

    assert 'there is no folder' in message(tmp_path / 'nowhere', 'msp')
    folder = tmp_path / 'out'
    shutil.copytree(tested / 'out', folder)
    text = message(folder, 'density')
    assert "score 'density' of 000000_leftImg8bit: no file of" in text
    for path in (folder / 'test_ood').rglob('000002*'):
        path.unlink()
    text = message(folder, 'msp')
    assert 'holds no prediction of 1 of 7 images' in text
    assert '000002_leftImg8bit.png' in text
    torch.save([1], folder / 'test_ood/leftImg8bit/000002_leftImg8bit.pth')
    assert "must hold a dict with 'conf' and 'pred', got list" in message(folder, 'msp')
    small = {'conf': torch.zeros(4, 4), 'pred': torch.zeros(4, 4, dtype=torch.long)}
    torch.save(small, folder / 'test_ood/leftImg8bit/000002_leftImg8bit.pth')
    text = message(folder, 'msp')
    assert 'must have shape (64, 128), as `gt_sem_seg` has, got (4, 4)' in text
