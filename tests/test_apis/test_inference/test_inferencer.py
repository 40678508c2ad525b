"""From images, folders and videos to arrays, pictures, score maps and videos."""

import cv2
import numpy as np
import pytest
import torch

from helpers.abnn_files import CLASSES, PALETTE, picture, save_abnn, section_config
from helpers.networks import TINY, build_segmentor
from mmseg_abnn.apis import ABNNInferencer, expand_abnn_section, inference_model
from mmseg_abnn.apis.image_sources import find_sources
from mmseg_abnn.evaluation.score_maps import read_score_map
from mmseg_abnn.visualization.browse import MIN_WIDTH

FRAMES, FPS = 3, 12.0
FACTOR = -(-MIN_WIDTH // 64)


@pytest.fixture(scope='module')
def abnn(tmp_path_factory):
    cfg = section_config()
    expand_abnn_section(cfg)
    return save_abnn(tmp_path_factory.mktemp('abnn'), cfg)


@pytest.fixture(scope='module')
def inferencer(abnn):
    return ABNNInferencer(abnn, device='cpu', show_progress=False)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Two images of one name, a hidden file, and a video without loss."""
    folder = tmp_path_factory.mktemp('data')
    for index, name in enumerate(('a/0.png', 'b/0.png')):
        (folder / name).parent.mkdir()
        cv2.imwrite(str(folder / name), picture(index))
    (folder / 'a/._0.png').write_bytes(b'no image')
    (folder / 'notes.txt').write_text('no image')
    video = cv2.VideoWriter(
        str(folder / 'drive.avi'), cv2.VideoWriter.fourcc(*'FFV1'), FPS, (64, 48)
    )
    for index in range(FRAMES):
        video.write(picture(index))
    video.release()
    return folder


def test_arrays_of_one_image(inferencer):
    image = picture(0, 50, 70)
    prediction = inferencer(image)['predictions']
    sample = inference_model(inferencer.model, image)
    p = sample.probabilities.data.numpy()
    assert prediction.labels.shape == (50, 70)
    assert np.array_equal(prediction.labels, sample.pred_sem_seg.data[0].numpy())
    assert np.array_equal(prediction.probabilities, p)
    np.testing.assert_allclose(p.sum(0), 1, atol=1e-6)
    maps = prediction.uncertainty
    assert {'entropy', 'expected_entropy', 'mutual_information', 'variation_ratio'} <= maps.keys()
    np.testing.assert_allclose(maps['msp'], 1 - p.max(0), atol=1e-6)
    np.testing.assert_allclose(maps['entropy'], -(p * np.log(p)).sum(0), atol=1e-5)
    difference = maps['entropy'] - maps['expected_entropy']
    np.testing.assert_allclose(maps['mutual_information'], difference.clip(0), atol=1e-6)


def test_a_network_that_does_not_sample_has_its_own_uncertainty(tmp_path):
    cfg = section_config()
    cfg.pop('abnn')
    state = build_segmentor(**TINY).state_dict()
    torch.save(dict(state_dict=state, meta=dict(cfg=cfg.pretty_text)), tmp_path / 'plain.pth')
    prediction = ABNNInferencer(tmp_path / 'plain.pth', device='cpu')(picture(0))['predictions']
    p = torch.from_numpy(prediction.sample.seg_logits.data.numpy()).double().softmax(0).numpy()
    np.testing.assert_allclose(
        prediction.uncertainty['entropy'], -(p * np.log(p)).sum(0), atol=1e-5
    )
    assert 'mutual_information' not in prediction.uncertainty


@pytest.mark.parametrize('score_format', ['png', 'npy', 'pth'])
def test_a_folder_in_files(inferencer, data, tmp_path, score_format):
    maps = ['entropy', 'mutual_information']
    results = inferencer(data, out_dir=tmp_path, maps=maps, score_format=score_format, batch_size=2)
    assert [prediction.name for prediction in results['predictions']] == ['a/0', 'b/0']
    for prediction in results['predictions']:
        name = prediction.name
        drawn = cv2.imread(str(tmp_path / 'vis' / f'{name}.png'))
        # a small image is enlarged by a whole factor
        shown = drawn[: 48 * FACTOR : FACTOR, : 64 * FACTOR : FACTOR]
        assert np.array_equal(shown, cv2.imread(str(data / f'{name}.png')))
        if score_format == 'pth':
            content = torch.load(tmp_path / 'pred' / f'{name}.pth', weights_only=True)
            assert np.array_equal(content['pred'].numpy(), prediction.labels)
            np.testing.assert_allclose(
                content['conf'].numpy(), prediction.probabilities.max(0), atol=1e-6
            )
            continue
        written = cv2.imread(str(tmp_path / 'pred' / f'{name}_pred.png'), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(written, prediction.labels)
        step = np.log(5) / 65535 if score_format == 'png' else 0
        for score in maps:
            read = read_score_map(tmp_path / 'pred' / f'{name}_{score}.{score_format}')
            expected = prediction.uncertainty[score]
            np.testing.assert_allclose(read, expected, rtol=0, atol=step / 2 + 1e-6)
    assert {file.replace(str(tmp_path), '') for file in results['files']} == {
        f'/{folder}/{name}' for name in ('a/0', 'b/0') for folder in ('pred',)
    } | {f'/vis/{name}.png' for name in ('a/0', 'b/0')}


def test_a_video_in_files(inferencer, data, tmp_path):
    results = inferencer(str(data / 'drive.avi'), out_dir=tmp_path, batch_size=2)
    assert results['predictions'] == []
    alone = [inferencer(picture(index))['predictions'] for index in range(FRAMES)]
    for index, prediction in enumerate(alone):
        name = tmp_path / 'pred' / 'drive' / f'{index:06d}'
        written = cv2.imread(f'{name}_pred.png', cv2.IMREAD_UNCHANGED)
        assert np.array_equal(written, prediction.labels)
        step = np.log(5) / 65535
        read = read_score_map(f'{name}_entropy.png')
        np.testing.assert_allclose(read, prediction.uncertainty['entropy'], rtol=0, atol=step)
    video = cv2.VideoCapture(str(tmp_path / 'vis' / 'drive.mp4'))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
    assert video.get(cv2.CAP_PROP_FPS) == FPS
    _, frame = video.read()
    assert frame.shape[0] == 48
    assert frame.shape[1] > 2 * 64
    # the frame under its prediction, half of each, but for what the codec loses
    colors = np.array(PALETTE)[alone[0].labels][..., ::-1]
    difference = frame[:, :64].astype(int) - (colors + picture(0)) / 2
    assert abs(difference).mean() < 12


def test_the_frames_of_a_video_as_arrays(inferencer, data):
    frames = list(inferencer.stream(data / 'drive.avi', max_frames=2))
    assert [prediction.name for _, prediction in frames] == ['drive/000000', 'drive/000001']
    for index, (named, prediction) in enumerate(frames):
        assert np.array_equal(named.image, picture(index))
        expected = inferencer(picture(index))['predictions'].probabilities
        assert np.array_equal(prediction.probabilities, expected)


def test_what_is_returned(inferencer, data):
    image = picture(0)
    sample = inferencer(image, return_datasamples=True)
    assert torch.equal(
        sample.seg_logits.data, inference_model(inferencer.model, image).seg_logits.data
    )
    listed = inferencer([image], return_datasamples=True)
    assert len(listed) == 1
    results = inferencer(image, return_vis=True)
    assert results['visualization'].dtype == np.uint8
    assert results['files'] == []
    assert inferencer.classes == CLASSES
    names = [p.name for p in inferencer([image, image])['predictions']]
    assert names[0] != names[1]  # nor are they those of an earlier call


@pytest.mark.parametrize(
    'image',
    [picture(0).astype(np.float32), np.dstack([picture(0), picture(1)[..., :2]])],
    ids=['float', 'five bands'],
)
def test_what_is_no_picture_is_drawn_gray(inferencer, image):
    prediction = inferencer(picture(0))['predictions']
    drawn = prediction.draw(image, ['entropy'], CLASSES, PALETTE)
    assert (drawn[:48, :64] == 128).all()


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (dict(inputs='missing'), FileNotFoundError, 'no image, folder or video .*missing'),
        (dict(inputs=[]), ValueError, '`inputs` is empty'),
        (dict(inputs=-1, out_dir='x'), ValueError, 'the number of a camera must be >= 0, got -1'),
        (dict(inputs=1.5), TypeError, 'numbers of cameras, got float'),
        (dict(inputs='camera:99', out_dir='x'), ValueError, 'OpenCV cannot open the camera 99'),
        (dict(inputs=picture(0), maps=['other']), ValueError, r"got \['other'\]"),
        (dict(inputs=picture(0), maps='entropy'), ValueError, '`maps` must be a list'),
        (dict(inputs=picture(0), score_format='gif'), ValueError, '`score_format` must be one of'),
        (dict(inputs=picture(0), batch_size='2'), ValueError, "int >= 1, got '2'"),
        (dict(inputs=picture(0), batch_size=0), ValueError, '`batch_size` must be an int >= 1'),
    ],
)
def test_what_cannot_be_used_is_said(inferencer, arguments, error, message):
    if 'maps' in arguments:
        arguments = dict(arguments, return_vis=True)
    with pytest.raises(error, match=message):
        inferencer(**arguments)


def test_films_and_folders_that_hold_nothing(inferencer, data, tmp_path):
    with pytest.raises(ValueError, match='`out_dir` must be given for a video'):
        inferencer(data / 'drive.avi')
    (tmp_path / 'no.mp4').write_bytes(b'no video')
    with pytest.raises(ValueError, match='cannot open the video'):
        inferencer(tmp_path / 'no.mp4', out_dir=tmp_path)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match=r'there is no image in .*empty'):
        inferencer(tmp_path / 'empty')


@pytest.mark.parametrize('batch_size', [1, 3])
def test_one_broken_file_of_many(inferencer, data, tmp_path, batch_size):
    inputs = tmp_path / 'inputs'
    inputs.mkdir()
    for index in (0, 2):
        cv2.imwrite(str(inputs / f'{index}.png'), picture(index))
    (inputs / '1.png').write_bytes(b'no image')
    message = r'1 of 3 images were left out, all others are written: \S+1\.png cannot be read'
    with pytest.raises(ValueError, match=message):
        inferencer(inputs, batch_size=batch_size, out_dir=tmp_path / 'out')
    assert {path.name for path in tmp_path.glob('out/vis/*')} == {'0.png', '2.png'}
    with pytest.raises(ValueError, match=r'1\.png cannot be read'):  # nothing would be kept
        inferencer(inputs, batch_size=batch_size)


def test_what_is_written_need_not_be_kept(inferencer, data, tmp_path):
    results = inferencer(data, out_dir=tmp_path, return_predictions=False)
    assert results['predictions'] == []
    assert len(results['files']) == 4


def test_a_folder_behind_a_link_is_searched(data, tmp_path):
    (tmp_path / 'linked').symlink_to(data / 'a')
    cv2.imwrite(str(tmp_path / 'own.jpg'), picture(2))
    assert [named.name for named in find_sources(tmp_path)] == ['linked/0', 'own']


def test_a_network_is_given_alone(inferencer):
    assert ABNNInferencer(inferencer.model).model is inferencer.model
    with pytest.raises(ValueError, match='must not be given beside a network'):
        ABNNInferencer(inferencer.model, weights='a.pth')
    with pytest.raises(TypeError, match='is for segmentors, got Conv2d'):
        ABNNInferencer(torch.nn.Conv2d(3, 3, 1))


def write_film(path, count):
    path.parent.mkdir(parents=True, exist_ok=True)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'FFV1'), FPS, (64, 48))
    for index in range(count):
        video.write(picture(index))
    video.release()


def test_films_of_one_name(inferencer, tmp_path):
    for folder, count in (('1', 1), ('2', 2)):
        write_film(tmp_path / folder / 'a.avi', count)
    films = [str(tmp_path / folder / 'a.avi') for folder in '12']
    inferencer(films, out_dir=tmp_path / 'out')
    frames = [path.parent.parent.name for path in (tmp_path / 'out/pred').rglob('*_pred.png')]
    assert sorted(frames) == ['1', '2', '2']
    for folder, count in (('1', 1), ('2', 2)):
        video = cv2.VideoCapture(str(tmp_path / f'out/vis/{folder}/a.mp4'))
        assert video.get(cv2.CAP_PROP_FRAME_COUNT) == count


def test_names_that_two_inputs_would_share(inferencer, tmp_path):
    write_film(tmp_path / 'a.avi', 1)
    (tmp_path / 'a').mkdir()
    cv2.imwrite(str(tmp_path / 'a/000000.png'), picture(0))
    inputs = [str(tmp_path / name) for name in ('a.avi', 'a/000000.png')]
    with pytest.raises(ValueError, match="both be called 'a/000000'"):
        inferencer(inputs, out_dir=tmp_path / 'out')
    with pytest.raises(ValueError, match='`max_frames` must be None or >= 1, got 0'):
        inferencer(inputs[0], out_dir=tmp_path / 'out', max_frames=0)


def test_no_input_is_overwritten_and_no_output_read(inferencer, tmp_path):
    (tmp_path / 'vis').mkdir()
    cv2.imwrite(str(tmp_path / 'vis/a.png'), picture(0))
    cv2.imwrite(str(tmp_path / 'b.png'), picture(1))
    with pytest.raises(ValueError, match=r'vis/a\.png lies in \S+vis, which is written to'):
        inferencer(tmp_path / 'vis/a.png', out_dir=tmp_path)
    for _ in range(2):
        names = [p.name for p in inferencer(tmp_path, out_dir=tmp_path)['predictions']]
        assert names == ['b']


def test_a_link_back_ends(tmp_path):
    cv2.imwrite(str(tmp_path / 'own.PNG'), picture(2))
    (tmp_path / 'again').symlink_to(tmp_path)
    assert [named.name for named in find_sources(tmp_path)] == ['own']
