"""The test set in MMEngine's and MMPretrain's loaders, preprocessor, runner and metrics."""

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.runner import Runner

pytest.importorskip('mmpretrain', reason='classification needs MMPretrain')
from mmpretrain.models import ClsDataPreprocessor

from mmseg_abnn.datasets.classification import OODTestSet

pytestmark = pytest.mark.mmpretrain


def loader_config(dataset, workers):
    return dict(
        dataset=dataset,
        batch_size=4,
        num_workers=workers,
        persistent_workers=workers > 0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'),
    )


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('to_onehot', [False, True])
def test_through_loader_and_preprocessor(parts, workers, to_onehot):
    """The second batch of 4 holds labeled images and then others, ``mixed`` both by turns."""
    whole = OODTestSet(**parts)
    preprocessor = ClsDataPreprocessor(num_classes=10, to_onehot=to_onehot)
    cfg = loader_config(dict(type='OODTestSet', **parts), workers)
    found = []
    for batch in Runner.build_dataloader(cfg):
        found += preprocessor(batch)['data_samples']
    assert [sample.ood_set for sample in found] == [''] * 7 + ['SVHN'] * 4 + ['DTD'] * 6
    labels = [sample.to_dict().get('gt_label') for sample in found]
    assert torch.cat(labels[:7]).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert labels[7:] == [None] * 10
    assert not any('gt_score' in sample for sample in found[7:])
    if to_onehot:
        assert [int(sample.gt_score.argmax()) for sample in found[:7]] == list(range(7))
    mixed = [whole[i] for i in (8, 2, 12, 5)]
    batch = dict(
        inputs=torch.stack([item['inputs'] for item in mixed]),
        data_samples=[item['data_samples'] for item in mixed],
    )
    samples = preprocessor(batch)['data_samples']
    assert ['gt_label' in sample for sample in samples] == [False, True, False, True]
    assert [sample.gt_label.tolist() for sample in samples] == [[], [2], [], [5]]


class Recorder(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [
            (x['ood_set'], x['sample_idx'], len(x['pred_score'])) for x in data_samples
        ]

    def compute_metrics(self, results):
        assert results == [('', i, 10) for i in range(7)] + [('SVHN', i, 10) for i in range(4)] + [
            ('DTD', i, 10) for i in range(6)
        ]
        return dict(sets=list(self.dataset_meta['ood_sets']))


def test_one_test_run(parts, tmp_path):
    runner = Runner(
        model=dict(
            type='ImageClassifier',
            backbone=dict(type='ResNet_CIFAR', depth=18, base_channels=64),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=10, in_channels=512),
        ),
        work_dir=str(tmp_path / 'run'),
        test_dataloader=loader_config(dict(type='OODTestSet', **parts), workers=2),
        test_cfg=dict(),
        test_evaluator=Evaluator(Recorder()),
        default_scope='mmpretrain',
        experiment_name=tmp_path.name,
    )
    assert runner.test() == dict(sets=['SVHN', 'DTD'])


def test_accuracy_does_not_count_ood_images(parts):
    whole = OODTestSet(**parts)
    samples = [whole[i]['data_samples'].set_pred_score(torch.ones(10)) for i in range(17)]
    evaluator = Evaluator(dict(type='Accuracy'))
    evaluator.dataset_meta = whole.metainfo
    evaluator.process(samples[:7])
    with pytest.raises(KeyError, match='gt_label'):
        evaluator.process(samples[7:])
