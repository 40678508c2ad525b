import copy

import pytest
import torch

pytest.importorskip('mmpretrain', reason='classification needs MMPretrain')

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, init_default_scope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

import mmseg_abnn.classification  # noqa: F401  registers what is built here
from mmseg_abnn.apis import build_test_runner, expand_abnn_section, train
from mmseg_abnn.apis.member_files import load_member
from mmseg_abnn.checkpoint import read_checkpoint
from mmseg_abnn.conversion import convert_to_abnn
from mmseg_abnn.datasets.classification import UnlabeledSample
from mmseg_abnn.models.layers import Draw, hold_draw
from mmseg_abnn.models.member_bank import member_tensors

pytestmark = pytest.mark.mmpretrain

NUM_CLASSES = 5


@pytest.fixture(autouse=True)
def _mmpretrain_scope(_mmseg_scope):
    init_default_scope('mmpretrain')


def classifier_config(**changes):
    cfg = dict(
        type='ImageClassifier',
        data_preprocessor=dict(mean=[127.5] * 3, std=[64.0] * 3, num_classes=NUM_CLASSES),
        backbone=dict(type='ResNet_CIFAR', depth=18, base_channels=4, stem_channels=4),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=NUM_CLASSES, in_channels=32),
    )
    return Config(dict(model={**cfg, **changes})).model


def build(alpha=None, **changes):
    """Build a network that passes for trained; with ``alpha`` converted."""
    torch.manual_seed(0)
    model = MODELS.build(classifier_config(**changes)).eval()
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
    with torch.no_grad():
        model.head.fc.weight.normal_(generator=generator)
    if alpha is not None:
        convert_to_abnn(model, alpha=alpha)
    return model


def sampling(alpha=0.2, **test_cfg):
    return build(alpha, type='MCImageClassifier', test_cfg=test_cfg)


@pytest.fixture
def x():
    return torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def predict(model, x, samples=None):
    return model.predict(x, samples)


def test_mean_of_probabilities_over_members_and_draws(x):
    model = sampling(num_samples=2, seed=5, temperature=0.8)
    generator = torch.Generator().manual_seed(2)
    members = [
        {
            name: tensor + 0.3 * torch.randn(tensor.shape, generator=generator)
            for name, tensor in member_tensors(model, model.state_dict()).items()
        }
        for _ in range(3)
    ]
    model.set_members(members)
    result = predict(model, x, [DataSample(gt_label=torch.tensor([2])) for _ in x])

    # the oracle: M full copies of the network, every draw kept
    drawn = []
    for m, member in enumerate(members):
        network = copy.deepcopy(model)
        network.load_state_dict({**network.state_dict(), **member})
        for index in range(2):
            with torch.no_grad(), hold_draw(network, Draw(5, m, index)):
                drawn.append(network(x, mode='tensor') / 0.8)
    logits = torch.stack(drawn)
    p = logits.softmax(dim=2)
    mean = p.mean(dim=0)
    expected_entropy = -(p * p.log()).sum(dim=2).mean(dim=0)
    for i, sample in enumerate(result):
        torch.testing.assert_close(sample.pred_score, mean[i])
        torch.testing.assert_close(sample.log_score, mean[i].log(), rtol=1e-4, atol=1e-5)
        assert sample.pred_label.tolist() == [int(mean[i].argmax())]
        assert sample.gt_label.tolist() == [2]
        scores = sample.uncertainty
        torch.testing.assert_close(scores['expected_entropy'], expected_entropy[i])
        entropy = -(mean[i] * mean[i].log()).sum()
        torch.testing.assert_close(
            scores['mutual_information'], entropy - expected_entropy[i], rtol=1e-4, atol=2e-6
        )
        most = p[:, i].argmax(dim=1).mode().values
        agreeing = (p[:, i].argmax(dim=1) == most).float().mean()
        torch.testing.assert_close(scores['variation_ratio'], 1 - agreeing)
        torch.testing.assert_close(scores['max_logit'], -logits[:, i].amax(dim=1).mean())
        torch.testing.assert_close(
            scores['energy'], -logits[:, i].exp().sum(dim=1).log().mean(), rtol=1e-5, atol=1e-5
        )


def test_without_noise_it_is_the_deterministic_classifier(x):
    plain = build()
    with torch.no_grad():
        expected = plain(x, mode='tensor')
        assert torch.equal(sampling(alpha=0.0)(x, mode='tensor'), expected)
    for sample, logits in zip(predict(sampling(alpha=0.0), x), expected, strict=True):
        torch.testing.assert_close(sample.pred_score, logits.softmax(dim=0))
        assert sample.pred_label.item() == int(logits.argmax())


def test_labels_of_the_base_network(x):
    with torch.no_grad():
        expected = build()(x, mode='tensor').argmax(dim=1)
    noisy = predict(sampling(alpha=2.0), x)
    assert [s.pred_label.item() for s in noisy] != expected.tolist()
    kept = predict(sampling(alpha=2.0, labels_from='base'), x)
    assert [s.pred_label.item() for s in kept] == expected.tolist()
    for a, b in zip(noisy, kept, strict=True):
        assert torch.equal(a.pred_score, b.pred_score)


def test_results_do_not_depend_on_the_batch(x):
    model = sampling()
    for i, sample in enumerate(predict(model, x)):
        torch.testing.assert_close(predict(model, x[i : i + 1])[0].pred_score, sample.pred_score)


def test_a_draw_for_each_image(x):
    model = sampling(draw_per_image=True)
    same = x[:1].expand(2, -1, -1, -1)
    a, b = predict(model, same, [DataSample(metainfo=dict(img_path=p)) for p in 'ab'])
    assert not torch.allclose(a.pred_score, b.pred_score)
    with pytest.raises(ValueError, match='needs the `img_path` of every image'):
        predict(model, x)


def test_a_network_without_bayesian_layers_says_so(x):
    model = build(type='MCImageClassifier')
    with pytest.raises(RuntimeError, match='holds no Bayesian normalization layer'):
        predict(model, x)


@pytest.mark.parametrize(
    ('changes', 'error', 'message'),
    [
        (dict(test_cfg=dict(num_samples=0)), ValueError, '`test_cfg.num_samples` must be an int'),
        (dict(test_cfg=dict(draws='x')), ValueError, "`test_cfg.draws` must be one of .* got 'x'"),
        (
            dict(head=dict(type='MultiLabelLinearClsHead', num_classes=5, in_channels=32)),
            TypeError,
            "`head` must be a ClsHead .* got 'MultiLabelLinearClsHead'",
        ),
        (dict(head=None), TypeError, "got 'NoneType'"),
    ],
)
def test_bad_settings(changes, error, message):
    with pytest.raises(error, match=message):
        build(type='MCImageClassifier', **changes)


@DATASETS.register_module(force=True)
class MadeUpImages(BaseDataset):
    """Eight random images of 16x16 pixels."""

    METAINFO = dict(classes=tuple('abcde'))  # noqa: RUF012

    def load_data_list(self):
        return [dict(index=index) for index in range(8)]

    def prepare_data(self, idx):
        index = int(self.get_data_info(idx)['index'])
        generator = torch.Generator().manual_seed(index)
        image = torch.randint(0, 256, (3, 16, 16), generator=generator, dtype=torch.uint8)
        meta = dict(ood_set='far' if index >= 6 else '', img_path=f'{index}.png')
        if meta['ood_set']:
            return dict(inputs=image, data_samples=UnlabeledSample(metainfo=meta))
        label = torch.tensor([index % NUM_CLASSES])
        return dict(inputs=image, data_samples=DataSample(metainfo=meta, gt_label=label))


def run_config(tmp_path, loss, section, **model):
    init = build(head=dict(type='LinearClsHead', num_classes=NUM_CLASSES, in_channels=32))
    torch.save({'state_dict': init.state_dict()}, tmp_path / 'base.pth')
    head = dict(type='LinearClsHead', num_classes=NUM_CLASSES, in_channels=32, **loss)
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=classifier_config(head=head, **model),
            load_from=str(tmp_path / 'base.pth'),
            work_dir=str(tmp_path / 'work'),
            abnn=section,
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=dict(type='MadeUpImages', indices=6),
            ),
            test_dataloader=dict(
                batch_size=4,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dict(type='MadeUpImages', metainfo=dict(ood_sets=('far',))),
            ),
            test_evaluator=dict(type='ClassificationUncertaintyMetric'),
            test_cfg=dict(),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='Adam')),
            default_hooks=dict(
                logger=dict(type='LoggerHook', interval=1),
                checkpoint=dict(type='CheckpointHook', interval=1),
            ),
            randomness=dict(seed=3),
        )
    )
    expand_abnn_section(cfg)
    return cfg


@pytest.mark.parametrize(
    ('loss', 'train_cfg', 'smoothing'),
    [
        ({}, None, 0.0),
        (dict(loss=dict(type='LabelSmoothLoss', label_smooth_val=0.2)), None, 0.2),
        (
            dict(loss=dict(type='LabelSmoothLoss', label_smooth_val=0.25, mode='classy_vision')),
            dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]),
            0.2,
        ),
        (
            dict(loss=dict(type='CrossEntropyLoss', use_soft=True)),
            dict(augments=dict(type='CutMix', alpha=1.0)),
            0.0,
        ),
    ],
)
def test_members_are_trained_and_tested(tmp_path, loss, train_cfg, smoothing):
    section = dict(alpha=0.1, num_members=2, num_samples=2, max_epochs=2)
    cfg = run_config(tmp_path, loss, section, train_cfg=train_cfg)
    assert cfg.model.head.loss.type == 'ABNNLoss'
    assert cfg.model.head.loss.get('label_smoothing', 0.0) == pytest.approx(smoothing)
    ensemble = train(copy.deepcopy(cfg))
    base = read_checkpoint(cfg.load_from)['state_dict']
    members = [load_member(str(tmp_path / f'work/member_{m}.safetensors'))[0] for m in range(2)]
    for member in members:
        assert all('bn' in name or 'downsample.1' in name for name in member)
        assert any(not torch.equal(tensor, base[name]) for name, tensor in member.items())
    assert any(not torch.equal(members[0][name], members[1][name]) for name in members[0])
    metrics = build_test_runner(cfg, ensemble).test()
    assert {'accuracy', 'ECE', 'far/AUROC'} <= set(metrics)


def test_the_mode_of_smoothing_must_be_that_of_a_softmax(tmp_path):
    with pytest.raises(ValueError, match=r"'original' or 'classy_vision'.*got 'multi_label'"):
        run_config(tmp_path, dict(loss=dict(type='LabelSmoothLoss', mode='multi_label')), {})
