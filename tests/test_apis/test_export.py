"""Exported ABNNs, run by onnxruntime and by torch.export, against the prediction in PyTorch."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.models import SegDataPreProcessor, SegTTAModel
from mmseg.structures import SegDataSample
from scipy.special import entr
from torch import nn

from helpers.bare_networks import bare_members, bare_network, images
from helpers.monte_carlo import perturbed
from helpers.networks import TINY, build_segmentor, randomize_norms
from helpers.sharing import made_once
from mmseg_abnn import convert_to_abnn, predict_mean, revert_abnn
from mmseg_abnn.apis import export_network, export_segmentor
from mmseg_abnn.apis.export import NOISE, OPSET
from mmseg_abnn.apis.export_check import onnx_differences
from mmseg_abnn.models.prediction_settings import PredictionSettings
from mmseg_abnn.models.segmentors import SegmentorLogits

pytestmark = pytest.mark.filterwarnings('ignore')
SETTINGS = dict(num_samples=1, seed=4, temperature=1.7, labels_from='base', include_base=True)


class Backbone(nn.Module):
    """As little as a backbone can be; exporting takes a second for a few layers."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8)

    def forward(self, x):
        return (self.bn(self.conv(x)).relu(),)


def segmentor(**test_cfg):
    """A tiny segmentor with two members; the same in every call."""
    test_cfg = dict(mode='whole', **test_cfg)
    model = build_segmentor(**TINY, type='MCEncoderDecoder', test_cfg=test_cfg)
    torch.manual_seed(0)
    model.backbone = Backbone()
    randomize_norms(model)
    convert_to_abnn(model.eval(), alpha=0.3)
    with torch.no_grad():
        model.decode_head.conv_seg.weight.mul_(30)
    model.set_members([perturbed(model, seed) for seed in range(2)])
    model.dataset_meta = dict(classes=tuple('abcde'))
    return model


def pixels(count, height, width):
    """Images as a pipeline loads them."""
    generator = torch.Generator().manual_seed(height)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator, dtype=torch.uint8)


def predicted(model, x):
    """Predict as a test does: preprocessor, then the segmentor; return arrays by name."""
    size = tuple(x.shape[2:])
    meta = dict(ori_shape=size, img_shape=size)
    samples = [SegDataSample(metainfo=meta) for _ in x]
    data = model.data_preprocessor(dict(inputs=list(x), data_samples=samples), False)
    with torch.no_grad():
        results = model.predict(data['inputs'], data['data_samples'])
    arrays = {
        'probabilities': [r.probabilities.data for r in results],
        'labels': [r.pred_sem_seg.data[0] for r in results],
        **{
            name: [r.uncertainty.get(name)[0] for r in results]
            for name in results[0].uncertainty.keys()  # noqa: SIM118
        },
    }
    return {name: torch.stack(values).numpy() for name, values in arrays.items()}


def run_onnx(path, **inputs):
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    names = [output.name for output in session.get_outputs()]
    found = session.run(None, {name: np.asarray(value) for name, value in inputs.items()})
    return dict(zip(names, found, strict=True))


def run_program(path, **inputs):
    program = torch.export.load(path).module()
    with torch.no_grad():
        found = program(*(torch.as_tensor(value) for value in inputs.values()))
    return {name: values.numpy() for name, values in found.items()}


RUNS = {'abnn.onnx': run_onnx, 'abnn.pt2': run_program}
each_format = pytest.mark.parametrize('file', RUNS)


def assert_parity(found, expected):
    """The bounds that docs/export.md states."""
    assert set(found) == set(expected)
    assert found['probabilities'].shape == expected['probabilities'].shape
    assert np.abs(found['probabilities'] - expected['probabilities']).max() < 1e-4
    assert np.array_equal(found['labels'], expected['labels'])
    for name in set(expected) - {'probabilities', 'labels'}:
        assert np.abs(found[name] - expected[name]).max() < 1e-3, name
        assert np.ptp(expected[name]) > 1e-2, name  # there is something to compare


@pytest.fixture(scope='session')
def made(tmp_path_factory):
    """A folder for each kind of noise, with the segmentor in both formats."""

    def export(folder):
        init_default_scope('mmseg')
        for file in RUNS:
            for noise in NOISE:
                path = str(folder / noise / file)
                exported = export_segmentor(segmentor(**SETTINGS), path, noise=noise)
                functions = [str(folder / noise / 'abnn_functions.npz')]
                assert exported.files == [path, *(functions if noise == 'input' else [])]

    return made_once(tmp_path_factory, 'exported', export)


@each_format
def test_a_segmentor_for_images_of_any_size(file, made):
    model, path = segmentor(**SETTINGS), str(made / 'constant' / file)
    for shape in ((2, 32, 48), (1, 40, 24), (3, 33, 57)):
        x = pixels(*shape)
        assert_parity(RUNS[file](path, image=x.float().numpy()), predicted(model, x))


@each_format
def test_the_noise_as_an_input(file, made):
    model, path = segmentor(**SETTINGS), str(made / 'input' / file)
    functions = np.load(made / 'input' / 'abnn_functions.npz')
    x = pixels(2, 40, 24)
    sums = {}
    for noise, member, weight in zip(*functions.values(), strict=True):
        given = dict(image=x.float().numpy(), noise=noise, member=member[None])
        output = RUNS[file](path, **given)
        if weight == 0:
            labels = output['probabilities'].argmax(1)
        for name, values in output.items():
            sums[name] = sums.get(name, 0) + weight / functions['weight'].sum() * values
    p = sums['probabilities']
    expected = predicted(model, x)
    del expected['variation_ratio']  # which is a matter of votes
    found = {
        **sums,
        'labels': labels,
        'msp': 1 - p.max(1),
        'entropy': entr(p).sum(1),
        'mutual_information': entr(p).sum(1) - sums['expected_entropy'],
    }
    assert_parity(found, expected)


def test_noise_that_was_never_drawn_before(tmp_path):
    """Another noise gives another function; alpha zeroes it."""
    net, x = bare_network(), images()
    path = str(tmp_path / 'abnn.onnx')
    files = export_network(net, path, x, draws=2, noise='input').files
    given = np.load(files[1])['noise']
    zero = run_onnx(path, image=x.numpy(), noise=np.zeros_like(given[0]))['probabilities']
    fresh = np.random.default_rng(0).standard_normal(given[0].shape, dtype=np.float32)
    other = run_onnx(path, image=x.numpy(), noise=fresh)['probabilities']
    revert_abnn(net)
    with torch.no_grad():
        plain = net(x).softmax(1).numpy()
    assert np.abs(zero - plain).max() < 1e-4
    assert np.abs(other - plain).max() > 1e-2


def test_a_bare_network(tmp_path):
    net = bare_network().train()  # its mode does not matter, and stays
    members = bare_members(net)
    path = str(tmp_path / 'abnn.onnx')
    export_network(net, path, images(1), draws=2, members=members, seed=3)
    assert net.training
    for x in (images(4, 7, 9), images(1, 12, 3)):
        expected = predict_mean(net, x, draws=2, members=members, seed=3)
        arrays = {'probabilities': expected.probabilities, 'labels': expected.labels}
        arrays |= expected.uncertainty
        found = run_onnx(path, image=x.numpy())
        assert_parity(found, {name: values.numpy() for name, values in arrays.items()})


def test_members_without_noise(tmp_path):
    model = segmentor(draws='none')
    revert_abnn(model)
    path = str(tmp_path / 'abnn.onnx')
    export_segmentor(model, path, size=(32, 40))
    x = pixels(3, 32, 40)  # the batch size is free where the size is not
    assert_parity(run_onnx(path, image=x.float().numpy()), predicted(model, x))
    with pytest.raises(Exception, match='Got: 24 Expected: 32'):
        run_onnx(path, image=pixels(1, 24, 40).float().numpy())
    with pytest.raises(ValueError, match="noise as an input needs draws='noise', got 'none'"):
        export_segmentor(model, path, noise='input')


def test_what_a_file_says_of_itself(made):
    stored = onnx.load(made / 'input' / 'abnn.onnx')
    onnx.checker.check_model(stored)
    assert [(o.domain, o.version) for o in stored.opset_import] == [('', OPSET)]
    (image, noise, member) = stored.graph.input
    axes = [d.dim_param or d.dim_value for d in image.type.tensor_type.shape.dim]
    assert axes == ['batch', 3, 'height', 'width']
    assert (noise.name, member.name) == ('noise', 'member')
    facts = json.loads({p.key: p.value for p in stored.metadata_props}['mmseg_abnn'])
    assert PredictionSettings(**facts['settings']) == segmentor(**SETTINGS).prediction
    assert (facts['members'], facts['classes']) == (2, list('abcde'))
    extra = {'mmseg_abnn.json': ''}
    torch.export.load(str(made / 'input' / 'abnn.pt2'), extra_files=extra)
    assert json.loads(extra['mmseg_abnn.json']) == facts


def test_the_check_of_an_onnx_file(tmp_path):
    net = bare_network().train()
    exported = export_network(net, str(tmp_path / 'abnn.onnx'), images(), draws=1)
    differences = onnx_differences(exported)
    assert list(differences) == list(exported.graph.outputs)
    assert 0 <= max(differences.values()) < 1e-4
    exported.graph.settings = PredictionSettings(temperature=5.0)  # the file computes another
    assert onnx_differences(exported)['probabilities'] > 1e-2


def test_five_bands(tmp_path):
    model = segmentor(num_samples=1)
    model.backbone.conv = nn.Conv2d(5, 8, 3, stride=2, padding=1).requires_grad_(False)
    model.data_preprocessor = SegDataPreProcessor()
    path = str(tmp_path / 'abnn.pt2')
    export_segmentor(model, path, size=(16, 24))
    x = torch.cat([pixels(2, 16, 24), pixels(2, 16, 24)[:, :2]], dim=1)
    assert_parity(run_program(path, image=x.float()), predicted(model, x))


class Slicing(nn.Module):
    """A network whose computation depends on the size in Python."""

    def forward(self, x):
        return x[:, :, : int(x.shape[2]), : int(x.shape[3])] if x.shape[2] == 6 else x


def test_a_network_that_takes_one_size_only(tmp_path):
    net, x = bare_network(Slicing()), images()
    path = str(tmp_path / 'abnn.pt2')
    with pytest.raises(RuntimeError, match=r'for inputs of any size .* `fixed_size`'):
        export_network(net, path, x, draws=1)
    export_network(net, path, x, draws=1, fixed_size=True)
    expected = predict_mean(net, x[:1], draws=1)
    found = run_program(path, image=x[:1])
    np.testing.assert_allclose(found['probabilities'], expected.probabilities, atol=1e-5)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(draws='dropout'), "draws='dropout' cannot be exported"),
        (dict(draw_per_image=True), 'draw_per_image=True cannot be exported'),
    ],
)
def test_settings_that_are_no_graph(changes, message, tmp_path):
    model = segmentor(**changes)
    with pytest.raises(ValueError, match=message):
        export_segmentor(model, str(tmp_path / 'abnn.onnx'))


def test_a_model_that_is_no_graph(tmp_path):
    path = str(tmp_path / 'abnn.onnx')
    model = segmentor()
    with pytest.raises(ValueError, match='SegTTAModel is test-time augmentation'):
        export_segmentor(SegTTAModel(model), path)
    with pytest.raises(TypeError, match='got EncoderDecoder: `export_network` exports'):
        export_segmentor(build_segmentor(**TINY), path)
    convert_to_abnn(model, noise_shape='element')
    with pytest.raises(ValueError, match=r"noise_shape='element' .*first layer: backbone.bn"):
        export_segmentor(model, path)
    convert_to_abnn(model, noise_shape='channel')
    model.test_cfg.update(mode='slide', crop_size=(16, 16), stride=(8, 8))
    with pytest.raises(ValueError, match="mode='slide' cannot be exported: the number of windows"):
        export_segmentor(model, path)
    assert list(tmp_path.iterdir()) == []


class Brightening(SegDataPreProcessor):
    """A preprocessor that a graph does not know."""

    def forward(self, data, training=False):
        data = super().forward(data, training)
        return {**data, 'inputs': data['inputs'] + 1}


def test_a_preprocessor_that_is_not_known(tmp_path):
    model = segmentor()
    model.data_preprocessor = Brightening(mean=[1.0] * 3, std=[2.0] * 3, rgb_to_bgr=True)
    with pytest.raises(ValueError, match='Brightening does more to an image than normalizing'):
        export_segmentor(model, str(tmp_path / 'abnn.onnx'))


@pytest.mark.parametrize(
    'preprocessor',
    [
        dict(),
        dict(bgr_to_rgb=True),
        dict(mean=[1.0, 2.0, 3.0], std=[2.0, 3.0, 4.0]),
        dict(mean=[1.0, 2.0, 3.0], std=[2.0, 3.0, 4.0], rgb_to_bgr=True),
        dict(mean=[9.0], std=[2.0], test_cfg=dict(size_divisor=100)),
    ],
)
def test_the_preprocessors_of_mmsegmentation_are(preprocessor):
    model = segmentor()
    model.data_preprocessor = SegDataPreProcessor(**preprocessor)
    SegmentorLogits(model).check_normalization()


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (dict(path='abnn.pth'), ValueError, r"`path` must end in one of \('.onnx', '.pt2'\)"),
        (dict(noise='none'), ValueError, "`noise` must be one of .* got 'none'"),
        (dict(x=[1]), TypeError, '`x` must be one tensor .* got a list'),
        (dict(draws=0), ValueError, '`draws` must be an int >= 1, got 0'),
        (dict(logits=lambda y: y[:, :1]), ValueError, 'one output channel, a sigmoid'),
        (dict(logits=lambda y: y.softmax(1)), ValueError, 'returns probabilities, not logits'),
    ],
)
def test_errors(arguments, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = {'path': 'abnn.onnx', 'x': images(), **arguments}
    with pytest.raises(error, match=message):
        export_network(bare_network(), **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('size', [(32,), (0, 32), (32.0, 32)])
def test_a_size_that_is_none(size, tmp_path):
    with pytest.raises(ValueError, match=r'`size` must be a \(height, width\) of ints'):
        export_segmentor(segmentor(), str(tmp_path / 'abnn.onnx'), size=size)


def test_packages_that_are_missing(monkeypatch, tmp_path):
    find = 'mmseg_abnn.apis.export.importlib.util.find_spec'
    monkeypatch.setattr(find, lambda name: None)
    with pytest.raises(
        ImportError, match=r'onnx and onnxscript: pip install "mmseg_abnn\[export]"'
    ):
        export_network(bare_network(), str(tmp_path / 'abnn.onnx'), images(), draws=1)
    export_network(bare_network(), str(tmp_path / 'abnn.pt2'), images(), draws=1)
