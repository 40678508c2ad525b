"""A network from its file: everything that is needed is in it, or said to be missing."""

import numpy as np
import pytest
import torch
from mmengine.config import Config

from helpers.abnn_files import ALPHA, CLASSES, PALETTE, picture, save_abnn, section_config
from helpers.networks import TINY, build_segmentor
from mmseg_abnn.apis import expand_abnn_section, inference_model, init_model
from mmseg_abnn.apis.member_files import save_networks
from mmseg_abnn.apis.origin import origin_of_networks
from mmseg_abnn.apis.stored_config import write_config_text
from mmseg_abnn.checkpoint import member_states, read_checkpoint
from mmseg_abnn.models.layers import Draw, bayesian_layers, hold_draw
from mmseg_abnn.models.member_bank import applied


@pytest.fixture
def cfg():
    config = section_config()
    expand_abnn_section(config)
    return config


@pytest.fixture
def abnn(tmp_path, cfg):
    return save_abnn(tmp_path, cfg)


def mean_by_hand(model, image, members=2, draws=2):
    """Return the mean probabilities, (C, H, W), by a loop over the functions."""
    mean, std = (getattr(model.data_preprocessor, n).flatten().numpy() for n in ('mean', 'std'))
    x = (image[..., ::-1].astype(np.float32) - mean) / std
    x = torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None].float()
    total = 0
    for m in range(members):
        for index in range(draws):
            draw = hold_draw(model, Draw(seed=0, member=m, index=index))
            with torch.no_grad(), applied(model, model.members[m]), draw:
                logits = model.encode_decode(x, [dict(img_shape=image.shape[:2])])
            logits = torch.nn.functional.interpolate(
                logits, image.shape[:2], mode='bilinear', align_corners=False
            )
            total = total + logits[0].double().softmax(0)
    return total / (members * draws)


def test_one_file_is_enough(abnn):
    model = init_model(abnn, device='cpu')
    assert model.dataset_meta == dict(classes=CLASSES, palette=PALETTE)
    assert {layer.alpha for layer in bayesian_layers(model).values()} == {ALPHA}
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    stored = member_states(read_checkpoint(abnn))
    for bank, member in zip(model.members, stored, strict=True):
        assert all(torch.equal(bank.tensors()[name], tensor) for name, tensor in member.items())
    image = picture(0)
    result = inference_model(model, image)
    expected = mean_by_hand(model, image)
    torch.testing.assert_close(result.probabilities.data.double(), expected, rtol=1e-5, atol=1e-6)
    entropy = -(expected * expected.log()).sum(0)
    torch.testing.assert_close(result.uncertainty.entropy[0].double(), entropy, rtol=0, atol=1e-5)


def test_its_meta_tells_where_it_is_from(abnn, cfg):
    meta = torch.load(abnn, weights_only=True)['meta']
    assert meta['conversion']['alpha'] == ALPHA
    assert meta['prediction']['num_samples'] == 2
    assert meta['dataset_meta'] == dict(classes=CLASSES, palette=PALETTE)
    assert meta['cfg'] == write_config_text(cfg)
    assert meta['torch_version'] == torch.__version__
    assert {'mmengine_version', 'mmseg_version', 'mmseg_abnn_version'} <= meta.keys()
    assert [facts['seed'] for facts in meta['members']] == [0, 1]
    assert 'somewhere' not in str(meta)


def test_a_config_that_is_given_counts(abnn, tmp_path):
    section_config(temperature=2.0).dump(tmp_path / 'other.py')
    for given in (
        tmp_path / 'other.py',
        str(tmp_path / 'other.py'),
        section_config(temperature=2.0),
    ):
        model = init_model(given, abnn, device='cpu')
        assert model.prediction.temperature == 2.0
        assert len(model.members) == 2
    model = init_model(abnn, device='cpu', cfg_options={'model.test_cfg.num_samples': 7})
    assert model.prediction.num_samples == 7
    given = section_config()
    init_model(given, abnn, device='cpu', cfg_options={'abnn.temperature': 3.0})
    assert given.to_dict() == section_config().to_dict()


def test_files_of_earlier_versions(abnn, tmp_path):
    content = read_checkpoint(abnn)
    members = member_states(content)
    base = {k: v for k, v in content['state_dict'].items() if not k.startswith('members.')}
    old = dict(meta=dict(members=content['meta']['members']), state_dict=base, members=members)
    torch.save(old, tmp_path / 'old.pth')
    with pytest.raises(ValueError, match=r'old.pth holds no config .*call init_model\(CONFIG, CHE'):
        init_model(tmp_path / 'old.pth', device='cpu')
    image = picture(1)
    results = [
        inference_model(init_model(section_config(), path, device='cpu'), image)
        for path in (abnn, tmp_path / 'old.pth')
    ]
    assert torch.equal(*(result.seg_logits.data for result in results))


def test_a_plain_checkpoint_with_its_config(tmp_path):
    cfg = section_config()
    cfg.pop('abnn')
    network = build_segmentor(**TINY)
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=tuple(CLASSES), palette=PALETTE))
    state = {f'module.{name}': tensor for name, tensor in network.state_dict().items()}
    torch.save(dict(state_dict=state, meta=meta), tmp_path / 'iter_10.pth')
    model = init_model(tmp_path / 'iter_10.pth', device='cpu')
    assert type(model).__name__ == 'EncoderDecoder'
    assert model.dataset_meta == dict(classes=CLASSES, palette=PALETTE)
    for name, tensor in network.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor)


def test_classes_of_the_config_and_numbers(tmp_path, cfg, log):
    path = save_abnn(tmp_path, cfg, meta=False)
    model = init_model(path, device='cpu')
    assert model.dataset_meta['classes'] == CLASSES
    assert np.shape(model.dataset_meta['palette']) == (5, 3)
    assert not any('names the 5 classes' in text for text in log)
    cfg.train_dataloader = None
    model = init_model(cfg, path, device='cpu')
    assert model.dataset_meta['classes'] == [f'class {i}' for i in range(5)]
    assert sum('Neither the checkpoint nor the config names the 5 classes' in t for t in log) == 1


def test_it_says_what_is_sampled(tmp_path, abnn, log):
    init_model(section_config(), tmp_path / 'base.pth', device='cpu')
    assert sum('The checkpoint holds no members' in text for text in log) == 1
    init_model(abnn, device='cpu', cfg_options={'custom_hooks.0.alpha': 0.1})
    assert any('fine-tuned with alpha=0.3, they are used with alpha=0.1' in text for text in log)


def plain(abnn):
    cfg = section_config()
    cfg.pop('abnn')
    return cfg, abnn


def other_network(abnn):
    cfg = section_config()
    cfg.model.decode_head.channels = 4
    return cfg, abnn


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (plain, ValueError, "abnn.pth: the checkpoint is an ABNN's with 2 members, and EncoderDec"),
        (other_network, ValueError, 'abnn.pth: the checkpoint does not fit the model'),
        (lambda abnn: ['missing.pth'], FileNotFoundError, 'no checkpoint file .*missing.pth'),
        (lambda abnn: ['missing.py', abnn], FileNotFoundError, 'no config file .*missing.py'),
        (lambda abnn: [section_config()], ValueError, '`checkpoint` must be given beside a config'),
        (lambda abnn: [abnn, abnn], ValueError, 'the first must be a config'),
    ],
)
def test_what_cannot_be_used_is_said(abnn, arguments, error, message):
    with pytest.raises(error, match=message):
        init_model(*arguments(abnn), device='cpu')


def test_a_hostile_config_in_a_checkpoint_is_not_run(abnn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = read_checkpoint(abnn)
    for text in (
        "open('created', 'w')",
        "test_pipeline = [dict(type='LoadImageFromFile')]\n"
        "model = dict(type='os.system', command='touch created')",
        "test_pipeline = [dict(type='evil'), dict(type='LoadImageFromFile')]\n"
        "model = dict(type='FCNHead')",
    ):
        (tmp_path / 'evil.py').write_text("open('created', 'w')")
        monkeypatch.syspath_prepend(tmp_path)
        torch.save(dict(content, meta=dict(content['meta'], cfg=text)), 'hostile.pth')
        with pytest.raises(ValueError, match='the config in hostile'):
            init_model('hostile.pth', device='cpu')
        assert not (tmp_path / 'created').exists()


def test_a_deep_ensemble_brings_its_config(tmp_path):
    cfg = section_config()
    cfg.pop('abnn')
    meta = dict(cfg=Config(cfg.to_dict()).pretty_text, dataset_meta=dict(classes=CLASSES))
    states = {f'{i}.pth': build_segmentor(**TINY).state_dict() for i in range(2)}
    states['1.pth']['decode_head.conv_seg.weight'] = torch.zeros(5, 8, 1, 1)
    save_networks(str(tmp_path / 'deep.pth'), states, origin_of_networks(meta, '0.pth'))
    model = init_model(tmp_path / 'deep.pth', device='cpu')
    assert (len(model.members), model.prediction.draws) == (2, 'none')
    assert model.dataset_meta['classes'] == CLASSES


def changed(abnn, tmp_path, change):
    content = read_checkpoint(abnn)
    change(content)
    torch.save(content, tmp_path / 'changed.pth')
    return str(tmp_path / 'changed.pth')


def without_member(content):
    state = content['state_dict']
    content['state_dict'] = {k: v for k, v in state.items() if not k.startswith('members.1.')}


def without_tensor(content):
    del content['state_dict'][next(k for k in content['state_dict'] if k.startswith('members.1.'))]


def without_list(content):
    content['meta']['members'] = 'two'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (without_member, r'changed\.pth was written with 2 members, and holds 1'),
        (without_tensor, 'the members 0 and 1 of .* do not hold the same tensors: 1 are in one'),
        (without_list, '`meta.members` of the checkpoint must be a list of dicts'),
    ],
)
def test_a_file_that_lost_a_part_is_refused(abnn, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        init_model(changed(abnn, tmp_path, change), device='cpu')


def test_another_base_network_is_said(abnn, tmp_path, log):
    init_model(changed(abnn, tmp_path, lambda content: None), device='cpu')
    assert not any('is not the one that' in text for text in log)

    def change(content):
        content['state_dict']['decode_head.conv_seg.weight'] *= 3

    init_model(changed(abnn, tmp_path, change), device='cpu')
    assert sum('is not the one that its members were fine-tuned from' in t for t in log) == 1


def test_weights_in_half_precision_predict(abnn, tmp_path):
    def halve(content):
        state = content['state_dict']
        content['state_dict'] = {
            k: v.half() if v.is_floating_point() else v for k, v in state.items()
        }

    model = init_model(changed(abnn, tmp_path, halve), device='cpu')
    expected = inference_model(init_model(abnn, device='cpu'), picture(0))
    result = inference_model(model, picture(0))
    torch.testing.assert_close(
        result.probabilities.data, expected.probabilities.data, rtol=0, atol=1e-2
    )


def test_a_stored_config_holds_nothing_else_to_build(abnn):
    model = init_model(abnn, device='cpu')
    assert set(model.cfg) == {'default_scope', 'model', 'custom_hooks', 'test_pipeline'}


def test_classes_that_are_no_list(abnn, tmp_path):
    path = changed(abnn, tmp_path, lambda c: c['meta']['dataset_meta'].update(classes=5))
    with pytest.raises(ValueError, match='`classes` must be a list of names, got 5'):
        init_model(path, device='cpu')
