"""The section `abnn`: three lines make an ABNN from the config of any segmentor."""

from dataclasses import asdict

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

from helpers.section_configs import load, segmentor
from helpers.small_runs import MadeUpScenes  # noqa: F401  the configs below name it
from helpers.tool_runner import ROOT
from mmseg_abnn.apis import ABNNSettings, expand_abnn_section, train
from mmseg_abnn.apis.member_files import load_member
from mmseg_abnn.checkpoint import network_state, read_checkpoint

# three of MMSegmentation's configs, as a user changes them for data of five classes, and made small
FAMILIES = {
    'pspnet': (
        'pspnet/pspnet_r50-d8_4xb2-80k_cityscapes-512x1024.py',
        'backbone=dict(base_channels=8, stem_channels=8), '
        'decode_head=dict(num_classes=5, in_channels=256, channels=8), '
        'auxiliary_head=dict(num_classes=5, in_channels=128, channels=8)',
    ),
    'upernet_swin': (
        'swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py',
        'backbone=dict(embed_dims=12, depths=[2, 2, 2, 2]), '
        'decode_head=dict(num_classes=5, in_channels=[12, 24, 48, 96], channels=8), '
        'auxiliary_head=dict(num_classes=5, in_channels=48, channels=8)',
    ),
    'segformer': (
        'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',
        'decode_head=dict(num_classes=5, channels=8)',
    ),
}
DATA = """
model['data_preprocessor'] = dict(size=(32, 32))  # which the images are padded to
dataset = dict(_delete_=True, type='MadeUpScenes')
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dataset)
val_dataloader = val_cfg = val_evaluator = None
default_hooks = dict(logger=dict(interval=1))
"""


def test_what_becomes_of_a_config():
    cfg = segmentor(abnn=dict(alpha=0.3, num_members=5, num_samples=2, seed=7, max_iters=100))
    cfg.model.decode_head.loss_decode = [
        dict(type='CrossEntropyLoss', loss_weight=2.0, class_weight=[1.0, 0.5]),
        dict(type='DiceLoss', loss_weight=3.0),
    ]
    expand_abnn_section(cfg)
    assert 'abnn' not in cfg
    assert cfg.num_members == 5
    eta = dict(type='sparse', weight=0.5)
    assert cfg.model.type == 'MCEncoderDecoder'
    assert cfg.model.test_cfg == dict(mode='slide', stride=(1, 2), num_samples=2, seed=7)
    assert cfg.model.decode_head.loss_decode == [
        dict(type='ABNNLoss', eta=eta, loss_weight=2.0, class_weight=[1.0, 0.5]),
        dict(type='DiceLoss', loss_weight=3.0),
    ]
    assert cfg.model.auxiliary_head[0].loss_decode == dict(
        type='ABNNLoss', eta=eta, loss_weight=0.4
    )
    first, hook = cfg.custom_hooks
    assert first == dict(type='EMAHook')
    assert (hook.type, hook.alpha, hook.trainable) == ('ABNNConversionHook', 0.3, 'norm')
    # what concerns the hardware is kept, what concerns the parameters is not
    sgd = dict(type='SGD', lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
    wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic', optimizer=sgd)
    assert cfg.optim_wrapper == wrapper
    assert cfg.train_cfg == dict(type='IterBasedTrainLoop', max_iters=100, val_interval=100)
    assert [(s.type, s.end) for s in cfg.param_scheduler] == [('PolyLR', 100)]
    assert cfg.custom_imports.imports == ['mmseg_abnn']
    before = cfg.pretty_text
    expand_abnn_section(cfg)
    assert cfg.pretty_text == before


def test_a_cascade_and_a_schedule_in_epochs():
    loss = dict(type='CrossEntropyLoss')
    cfg = segmentor(
        abnn=dict(max_iters=9), default_hooks=dict(checkpoint=dict(type='CheckpointHook'))
    )
    cfg.model.type = 'mmseg.CascadeEncoderDecoder'
    cfg.model.decode_head = [dict(type='FCNHead', loss_decode=loss), dict(loss_decode=loss)]
    expand_abnn_section(cfg)
    assert cfg.model.type == 'MCCascadeEncoderDecoder'
    assert [head.loss_decode.type for head in cfg.model.decode_head] == ['ABNNLoss'] * 2
    assert cfg.default_hooks.checkpoint == dict(
        type='CheckpointHook', by_epoch=False, interval=2, max_keep_ckpts=1
    )


def test_a_budget_in_epochs():
    hooks = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=16000))
    cfg = segmentor(
        abnn=dict(max_epochs=8),
        default_hooks=dict(hooks, logger=dict(type='LoggerHook', log_metric_by_epoch=False)),
        log_processor=dict(by_epoch=False),
    )
    expand_abnn_section(cfg)
    assert cfg.train_cfg == dict(type='EpochBasedTrainLoop', max_epochs=8, val_interval=8)
    (schedule,) = cfg.param_scheduler
    assert (schedule.by_epoch, schedule.end, schedule.convert_to_iter_based) == (True, 8, True)
    assert cfg.log_processor.by_epoch
    assert cfg.default_hooks.logger.log_metric_by_epoch
    checkpoint = cfg.default_hooks.checkpoint
    assert (checkpoint.by_epoch, checkpoint.interval, checkpoint.max_keep_ckpts) == (True, 2, 1)


def test_epochs_that_never_end_are_refused():
    cfg = segmentor(
        abnn=dict(max_epochs=1), train_dataloader=dict(sampler=dict(type='InfiniteSampler'))
    )
    with pytest.raises(ValueError, match=r"epochs end.*got 'InfiniteSampler': set `max_iters`"):
        expand_abnn_section(cfg)


def test_the_budget_of_the_command_line_counts(tmp_path):
    path = tmp_path / 'abnn.py'
    base = ROOT / 'configs/abnn/deeplabv3plus_mini_streets.py'
    path.write_text(
        f'_base_ = {str(base)!r}\n'
        'abnn = dict(max_epochs=7)\n'
        "train_dataloader = dict(sampler=dict(type='DefaultSampler', shuffle=True))\n"
    )
    assert load(path).train_cfg.max_epochs == 7
    assert load(path, **{'abnn.max_iters': 5}).train_cfg.max_iters == 5
    assert load(path, **{'abnn.max_iters': 5, 'abnn.max_epochs': 2}).train_cfg.max_epochs == 2


def test_a_hook_that_replaces_the_loss_is_refused():
    recipe = dict(action_epoch=1, loss=dict(type='CrossEntropyLoss'))
    hook = dict(type='mmpretrain.SwitchRecipeHook', schedule=[recipe])
    with pytest.raises(ValueError, match='SwitchRecipeHook in `custom_hooks` replaces'):
        expand_abnn_section(segmentor(custom_hooks=[hook]))


@pytest.mark.parametrize(
    ('checkpoint', 'expected'),
    [
        (dict(interval=16000, by_epoch=False), dict(interval=1000, max_keep_ckpts=1)),
        (dict(interval=300, by_epoch=False, max_keep_ckpts=3), dict(interval=300)),
        (dict(interval=1, by_epoch=True), dict(interval=1000, max_keep_ckpts=1)),
        (dict(interval=-1, by_epoch=False), dict(interval=1000, max_keep_ckpts=1)),
    ],
)
def test_there_are_checkpoints_to_resume_from(checkpoint, expected):
    cfg = segmentor(default_hooks=dict(checkpoint=dict(type='CheckpointHook', **checkpoint)))
    expand_abnn_section(cfg)
    assert cfg.default_hooks.checkpoint == {
        'type': 'CheckpointHook',
        **checkpoint,
        'by_epoch': False,
        **expected,
    }


def test_a_config_without_checkpoints_gets_some_unless_it_says_no():
    cfg = segmentor(abnn=dict(max_iters=100))
    expand_abnn_section(cfg)
    expected = dict(type='CheckpointHook', by_epoch=False, interval=25, max_keep_ckpts=1)
    assert cfg.default_hooks.checkpoint == expected
    cfg = segmentor(default_hooks=dict(checkpoint=None))
    expand_abnn_section(cfg)
    assert cfg.default_hooks.checkpoint is None


def test_the_section_can_be_taken_away(tmp_path):
    (tmp_path / 'abnn.py').write_text("model = dict(type='EncoderDecoder')\nabnn = dict(alpha=0.2)")
    (tmp_path / 'plain.py').write_text("_base_ = 'abnn.py'\nabnn = None")
    cfg = load(tmp_path / 'plain.py')
    assert cfg.model.type == 'EncoderDecoder'
    assert 'abnn' not in cfg
    assert 'num_members' not in cfg


def test_the_base_file_states_the_defaults():
    stated = Config.fromfile(ROOT / 'configs/_base_/models/abnn.py').abnn.to_dict()
    assert stated == asdict(ABNNSettings())


def test_options_of_the_command_line(tmp_path):
    path = tmp_path / 'plain.py'
    cfg = segmentor()
    cfg.pop('abnn')
    cfg.dump(str(path))
    assert load(path).model.type == 'EncoderDecoder'
    # the section's own come first, those for what it stands for win
    options = {'train_cfg.max_iters': 3, 'abnn.max_iters': 50, 'abnn.alpha': 0.2, 'num_members': 1}
    cfg = load(path, **options)
    assert cfg.train_cfg == dict(type='IterBasedTrainLoop', max_iters=3, val_interval=50)
    assert cfg.custom_hooks[1].alpha == 0.2
    assert cfg.num_members == 1


@pytest.mark.parametrize('family', FAMILIES)
def test_three_lines(tmp_path, family):
    source, shrunk = FAMILIES[family]
    own = tmp_path / 'my_segmentor.py'
    own.write_text(f"_base_ = 'mmseg::{source}'\nmodel = dict(pretrained=None, {shrunk}){DATA}")
    init = {'model.backbone.init_cfg': None}
    network = MODELS.build(load(own, **init).model)
    torch.save({'state_dict': network.state_dict()}, tmp_path / 'my_segmentor.pth')

    config = tmp_path / 'my_abnn.py'
    config.write_text(
        "_base_ = 'my_segmentor.py'\n"
        f'load_from = {str(tmp_path / "my_segmentor.pth")!r}\n'
        'abnn = dict()\n'
    )
    cfg = load(config, **init, **{'abnn.num_members': 2, 'abnn.max_iters': 2})
    state = network_state(read_checkpoint(train(cfg)))
    norms = {
        f'{name}.{kind}'
        for name, module in network.named_modules()
        if name.startswith('backbone.') and 'Norm' in type(module).__name__
        for kind in ('weight', 'bias')
    }
    for member in range(2):
        tensors, facts = load_member(f'{cfg.work_dir}/member_{member}.safetensors')
        assert set(tensors) <= norms
        assert len(tensors) > 0.9 * len(norms)
        assert any(not torch.equal(tensors[name], state[name]) for name in tensors)
        assert sorted(facts['eta']['decode_head.loss_decode']) == [-0.5] * 2 + [0.0] * 3


@pytest.mark.parametrize(
    ('section', 'error', 'message'),
    [
        (
            dict(alfa=0.1, seeed=1),
            ValueError,
            r"`abnn` may hold \[.*'num_members',.*got \['alfa', 'seeed'\] \(did you mean 'alpha', "
            r"'seed'\?\)",
        ),
        (dict(frobnicate=0), ValueError, r"got \['frobnicate'\]$"),
        (dict(num_samples=0), ValueError, '`abnn.num_samples` must be an int >= 1, got 0'),
        (dict(max_iters=1.5), ValueError, '`abnn.max_iters` must be an int >= 1, got 1.5'),
        (dict(alpha=-1.0), ValueError, '`abnn.alpha` must be .*-1'),
        (dict(eta=dict(type='gamma')), ValueError, "`abnn.eta.type` must be one of .*got 'gamma'"),
        (
            dict(eta=dict(type='sparse', wait=1.0)),
            ValueError,
            r"`abnn.eta` of the type 'sparse' takes .*, got \['wait'\] \(did you mean 'weight'",
        ),
        (dict(include='backbone'), TypeError, '`abnn.include` must hold name patterns'),
        (dict(optimizer='SGD'), ValueError, "`abnn.optimizer` must be a dict .* got 'SGD'"),
        (dict(optimizer=dict(_delete_=True, lr=1)), ValueError, '`abnn.optimizer` must be a dict'),
        (
            dict(optimizer=dict(type='AdamW', lr=1e-4, momentum=0.9)),
            ValueError,
            r"has \['momentum'\], which AdamW does not take: .*write optimizer=dict\(_delete_=True",
        ),
        (True, TypeError, '`abnn` must be a dict, got True'),
    ],
)
def test_unusable_settings(section, error, message):
    with pytest.raises(error, match=message):
        expand_abnn_section(segmentor(abnn=section))


def test_configs_that_cannot_become_an_abnn():
    with pytest.raises(ValueError, match="an ABNN's without it"):
        expand_abnn_section(segmentor(num_members=3))
    with pytest.raises(ValueError, match="an ABNN's without it"):
        expand_abnn_section(segmentor(custom_hooks=[dict(type='ABNNConversionHook')]))
    cfg = segmentor()
    cfg.model.test_cfg.seed = 1
    with pytest.raises(ValueError, match=r"`model.test_cfg` sets \['seed'\], which belong"):
        expand_abnn_section(cfg)
    cfg = segmentor()
    cfg.model.type = 'Depther'
    with pytest.raises(ValueError, match=r"`model.type` to be one of .*got 'Depther'"):
        expand_abnn_section(cfg)
    cfg = segmentor()
    cfg.model.decode_head.loss_decode.use_sigmoid = True
    with pytest.raises(ValueError, match=r'a loss of `model\.decode_head` has use_sigmoid=True'):
        expand_abnn_section(cfg)
    cfg = segmentor()
    cfg.model = dict(type='EncoderDecoder', decode_head=dict(type='MaskFormerHead'))
    with pytest.raises(ValueError, match=r'no `loss_decode` .* is one of \[.*Ohem.* got none'):
        expand_abnn_section(cfg)


def test_names_that_are_found_whatever_the_default_scope():
    for scope in (None, 'mmdet'):
        cfg = segmentor(default_scope=scope)
        cfg.model.type = 'mmseg.EncoderDecoder'
        expand_abnn_section(cfg)
        assert cfg.model.type == 'mmseg.MCEncoderDecoder'
