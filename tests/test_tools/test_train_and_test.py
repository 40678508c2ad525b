import json
import math
import shutil
import socket

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from helpers.pictures import read_picture
from helpers.tool_runner import (
    ABNN_CONFIG,
    BASE_CONFIG,
    ROOT,
    SMALL,
    data_options,
    run,
    run_tool,
    start_tool,
    succeeded,
)
from mmseg_abnn.apis.member_files import load_member
from mmseg_abnn.checkpoint import member_states, network_state, read_checkpoint, state_hash
from mmseg_abnn.datasets import MiniStreetsDataset
from mmseg_abnn.evaluation.functional import average_precision, fpr_at_recall, roc_auc

pytestmark = pytest.mark.usefixtures('without_plots')

FIGURES = ['mIoU', 'ECE', 'AUPR', 'AUROC', 'FPR95', 'pooled/ECE', 'pooled/AUPR', 'pooled/FPR95']


def measure(config, checkpoint, data, tmp_path, *arguments, **options):
    arguments = (config, checkpoint, '--work-dir', tmp_path, *arguments)
    options = {**data_options(data), **options}
    result = succeeded(run_tool('test.py', *arguments, options=options))
    return json.loads((tmp_path / 'metrics.json').read_text()), result


def launch(script, *arguments, options):
    """Run a script that starts two processes."""
    settings = [f'{key}={value}' for key, value in {**SMALL, **options}.items()]
    command = [ROOT / 'tools' / script, *arguments, '--cfg-options', *settings]
    return succeeded(run(command, OMP_NUM_THREADS='1', PORT=str(free_port())))


def free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


def test_tools_in_processes_of_their_own(base, abnn, data, tmp_path):
    """As a user types it, from anywhere; in the process of the tests the tools do the same."""
    options = {**data_options(data), 'load_from': base, 'num_members': 2}
    trained = succeeded(start_tool('train.py', ABNN_CONFIG, options=options, cwd=tmp_path))
    assert trained.stdout.count('Iter(train)') == 2 * 3
    # the default work dir is named after the config, below the working directory
    work_dir = tmp_path / 'work_dirs/deeplabv3plus_mini_streets'
    for name in ('member_0.safetensors', 'member_1.safetensors'):
        assert (work_dir / name).read_bytes() == (abnn / name).read_bytes()
    arguments = (ABNN_CONFIG, work_dir / 'abnn.pth', '--work-dir', 'test')
    succeeded(start_tool('test.py', *arguments, options=data_options(data), cwd=tmp_path))
    found, _ = measure(ABNN_CONFIG, abnn / 'abnn.pth', data, tmp_path / 'here')
    assert len(found) >= 30
    files = [tmp_path / folder / 'metrics.json' for folder in ('test', 'here')]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_members_start_from_the_base_and_change_its_norms_only(base, abnn):
    state = read_checkpoint(base)['state_dict']
    ensemble = read_checkpoint(abnn / 'abnn.pth')
    assert network_state(ensemble).keys() == state.keys()
    assert all(torch.equal(ensemble['state_dict'][n], t) for n, t in state.items())
    statistics = [n for n in state if n.endswith('.running_mean') and n.startswith('backbone.')]
    norms = {n.removesuffix('.running_mean') for n in statistics}
    expected = {f'{norm}.{kind}' for norm in norms for kind in ('weight', 'bias')}
    etas = []
    for m, tensors in enumerate(member_states(ensemble)):
        stored, facts = load_member(str(abnn / f'member_{m}.safetensors'))
        assert set(tensors) == set(stored) == expected
        assert any(not torch.equal(tensors[n], state[n]) for n in expected)
        assert facts['base_hash'] == state_hash(state)
        assert (facts['member'], facts['seed']) == (m, m)
        etas.append(facts['eta']['decode_head.loss_decode'])
        assert sorted(etas[-1]) == [-0.5] * 3 + [0.0] * 6
        assert etas[-1] == facts['eta']['auxiliary_head.loss_decode']
        # the convolutions and the statistics of the member's own checkpoint are the base's
        own = read_checkpoint(abnn / f'member_{m}' / 'iter_3.pth')['state_dict']
        assert all(torch.equal(own[n], state[n]) for n in state if n not in expected)
    assert etas[0] != etas[1]
    first, second = member_states(ensemble)
    assert any(not torch.equal(first[n], second[n]) for n in expected)


def test_abnn_figures_equal_those_from_the_saved_maps(abnn, data, tmp_path):
    out, show = tmp_path / 'out', tmp_path / 'show'
    arguments = ('--out', out, '--show-dir', show)
    metrics, _ = measure(ABNN_CONFIG, abnn / 'abnn.pth', data, tmp_path, *arguments)
    assert all(math.isfinite(metrics[name]) for name in FIGURES)
    per_image, scores, positives = [], [], []
    dataset = MiniStreetsDataset(data_root=str(data), split='test_ood')
    for i in range(len(dataset)):
        label = np.asarray(Image.open(dataset.get_data_info(i)['seg_map_path']))
        name = f'test_ood/leftImg8bit/{i:06d}_leftImg8bit'
        score = np.load(out / f'{name}_entropy.npy')
        valid = label != 255
        scores.append(score[valid])
        positives.append(np.isin(label[valid], (19, 20)))
        one = (average_precision, roc_auc, fpr_at_recall)
        per_image.append([f(scores[-1], positives[-1]) for f in one])
    mean = 100 * np.mean(per_image, axis=0)
    found = [metrics[f'entropy/{name}'] for name in ('AUPR', 'AUROC', 'FPR95')]
    np.testing.assert_allclose(found, mean, atol=1e-6)
    pooled = 100 * roc_auc(np.concatenate(scores), np.concatenate(positives))
    report = json.loads((tmp_path / 'report/report.json').read_text())
    low, high = report['bounds']['pooled/entropy/AUROC']
    assert low <= pooled <= high
    assert metrics['pooled/entropy/AUROC'] == pytest.approx(pooled, abs=1e-6)
    pictures = sorted(show.rglob('*.png'))
    assert len(pictures) == 7
    for path in pictures:
        check_panel(path, show, data, out)


def check_panel(path, show, data, out):
    """Image, labels, prediction and entropy stand side by side."""
    split, folder, name = path.relative_to(show).parts
    index = name.removesuffix('_leftImg8bit.png')
    assert folder == 'leftImg8bit'
    saved = out / f'{split}/leftImg8bit/{index}_leftImg8bit'
    palette = np.array(MiniStreetsDataset.METAINFO['palette'], dtype=np.uint8)
    stored = np.asarray(Image.open(data / f'{split}/leftLabel/{index}_leftLabel.png'))
    labels = np.zeros((*stored.shape, 3), np.uint8)  # ignored pixels are black
    for color, stored_id in zip(palette, MiniStreetsDataset.STORED_IDS, strict=True):
        labels[stored == stored_id] = color
    labels[np.isin(stored, (19, 20))] = (0, 255, 255)
    entropy = np.load(f'{saved}_entropy.npy') / math.log(len(palette))
    picture = read_picture(path)
    assert picture.shape[0] == 64
    parts = [picture[:, i * 132 : i * 132 + 128] for i in range(4)]
    image = read_picture(data / f'{split}/leftImg8bit/{index}_leftImg8bit.png')
    np.testing.assert_array_equal(parts[0], image)
    np.testing.assert_array_equal(parts[1], labels)
    prediction = np.asarray(Image.open(f'{saved}_pred.png'))
    np.testing.assert_array_equal(parts[2], palette[prediction])
    scale = matplotlib.colormaps['inferno'](entropy, bytes=True)[..., :3]
    np.testing.assert_array_equal(parts[3], scale)
    for start in (128, 260, 392, 524):
        assert (picture[:, start : start + 4] == 255).all()
    # the bar holds the colors of the scale, from bright to dark
    bar = picture[:, 528:].astype(int)
    rows = []
    for value in (0.9, 0.5, 0.1):
        color = matplotlib.colormaps['inferno'](value, bytes=True)[:3]
        distance = abs(bar - color).max(axis=2).min(axis=1)
        assert distance.min() < 16
        rows.append(int(distance.argmin()))
    assert rows == sorted(rows)
    assert rows[2] - rows[0] > 30


def test_one_seed_gives_one_result_and_another_seed_another(abnn, data, tmp_path):
    first, _ = measure(ABNN_CONFIG, abnn / 'abnn.pth', data, tmp_path)
    again, _ = measure(ABNN_CONFIG, abnn / 'abnn.pth', data, tmp_path)
    options = {'model.test_cfg.seed': 1}
    other, _ = measure(ABNN_CONFIG, abnn / 'abnn.pth', data, tmp_path, **options)
    assert [first[n] for n in FIGURES] == [again[n] for n in FIGURES]
    assert first['pooled/AUPR'] != other['pooled/AUPR']


def test_without_noise_the_base_checkpoint_gives_the_deterministic_figures(base, data, tmp_path):
    plain, _ = measure(BASE_CONFIG, base, data, tmp_path)
    options = {'custom_hooks.0.alpha': 0.0, 'model.test_cfg.temperature': 1.0}
    sampled, result = measure(ABNN_CONFIG, base, data, tmp_path, **options)
    # the mean's way over log and softmax rounds; that may carry some of the 30,000 pixels of the
    # four OOD images over the threshold of FPR95, by 0.003 points each
    for name in FIGURES:
        tolerance = 0.02 if 'FPR95' in name else 1e-3
        assert sampled[name] == pytest.approx(plain[name], abs=tolerance), name
    assert 'The checkpoint holds no members' in result.stdout + result.stderr


def test_resume_keeps_finished_members_and_repeats_the_others_exactly(abnn, base, data, tmp_path):
    work_dir = tmp_path / 'run'
    shutil.copytree(abnn, work_dir)
    # as if the run had been killed after two of the second member's three iterations
    (work_dir / 'member_1.safetensors').unlink()
    (work_dir / 'abnn.pth').unlink()
    shutil.rmtree(work_dir / 'member_1')
    options = {**data_options(data), 'load_from': base, 'num_members': 2}
    arguments = (ABNN_CONFIG, '--work-dir', work_dir, '--resume')
    result = succeeded(run_tool('train.py', *arguments, options=options))
    assert 'Member 0 of 2 is finished' in result.stdout + result.stderr
    for name in ('member_0.safetensors', 'member_1.safetensors'):
        assert (work_dir / name).read_bytes() == (abnn / name).read_bytes()
    assert (work_dir / 'abnn.pth').exists()


def test_from_another_working_directory_with_amp(base, data, tmp_path):
    options = {**data_options(data), 'load_from': base, 'num_members': 1}
    succeeded(run_tool('train.py', ABNN_CONFIG, '--amp', options=options, cwd=tmp_path))
    work_dir = tmp_path / 'work_dirs/deeplabv3plus_mini_streets'
    assert (work_dir / 'abnn.pth').exists()
    _, facts = load_member(str(work_dir / 'member_0.safetensors'))
    assert facts['config']['optim_wrapper']['type'] == 'CPUAmpOptimWrapper'
    (log,) = (work_dir / 'member_0').glob('*/*.log')
    assert 'CPUAmpOptimWrapper' in log.read_text()


def test_two_processes_train_and_test(base, data, abnn, tmp_path):
    options = {**data_options(data), 'load_from': base, 'num_members': 2}
    work_dir = tmp_path / 'train'
    train = ('dist_train.sh', ABNN_CONFIG, 2, '--work-dir', work_dir)
    launch(*train, options=options)
    state = read_checkpoint(base)['state_dict']
    for member in range(2):
        tensors, _ = load_member(str(work_dir / f'member_{member}.safetensors'))
        assert any(not torch.equal(tensors[n], state[n]) for n in tensors)

    # 7 images on 2 processes: one is padded, and must count once
    single, _ = measure(ABNN_CONFIG, abnn / 'abnn.pth', data, tmp_path / 'single')
    test = ('dist_test.sh', ABNN_CONFIG, abnn / 'abnn.pth', 2)
    launch(*test, '--work-dir', tmp_path / 'double', options=options)
    double = json.loads((tmp_path / 'double/metrics.json').read_text())
    assert double['num_images'] == single['num_images'] == 7
    for name in FIGURES:
        assert double[name] == pytest.approx(single[name], abs=1e-3), name

    # a second training finds its members finished, and writes the ensemble again
    (work_dir / 'abnn.pth').unlink()
    result = launch(*train, options=options)
    assert 'Member 1 of 2 is finished' in result.stdout + result.stderr
    assert len(member_states(read_checkpoint(work_dir / 'abnn.pth'))) == 2


def test_two_processes_with_augmentation_equal_one(data, abnn, tmp_path):
    arguments = (ABNN_CONFIG, abnn / 'abnn.pth', data, tmp_path / 'single', '--tta')
    single, _ = measure(*arguments)
    test = ('dist_test.sh', ABNN_CONFIG, abnn / 'abnn.pth', 2, '--tta')
    launch(*test, '--work-dir', tmp_path / 'double', options=data_options(data))
    double = json.loads((tmp_path / 'double/metrics.json').read_text())
    for name in FIGURES:
        assert double[name] == pytest.approx(single[name], abs=1e-3), name


def test_maps_are_saved_beside_another_metric(abnn, data, tmp_path):
    config = tmp_path / 'two_metrics.py'
    config.write_text(
        f'_base_ = {str(ABNN_CONFIG)!r}\n'
        "uncertainty = dict(type='UncertaintyMetric', id_split='test_id', ood_split='test_ood',\n"
        "                   prefix='uncertainty')\n"
        "test_evaluator = [dict(type='IoUMetric', iou_metrics=['mIoU']), uncertainty]\n"
    )
    arguments = ('--out', tmp_path / 'out')
    metrics, _ = measure(config, abnn / 'abnn.pth', data, tmp_path, *arguments)
    assert {'mIoU', 'uncertainty/mIoU', 'uncertainty/entropy/AUPR'} <= set(metrics)
    assert len(list((tmp_path / 'out').rglob('*_pred.png'))) == 7


def test_scripts_explain_themselves():
    for name in ('dist_train.sh', 'dist_test.sh'):
        result = run([ROOT / 'tools' / name])
        assert result.returncode == 2
        assert f'{name} CONFIG' in result.stderr
