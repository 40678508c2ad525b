"""A classifier from its file."""

import pytest
import torch

pytest.importorskip('mmpretrain', reason='classification needs MMPretrain')

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS

from helpers.abnn_files import CLASSES, picture
from mmseg_abnn.apis import ABNNInferencer, expand_abnn_section, inference_model, init_model
from mmseg_abnn.apis.origin import origin_of
from mmseg_abnn.conversion import convert_to_abnn
from mmseg_abnn.member_state import with_members
from mmseg_abnn.models.member_bank import member_tensors

pytestmark = pytest.mark.mmpretrain


def test_a_classifier_with_its_members(tmp_path):
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='ImageClassifier',
                data_preprocessor=dict(mean=[127.5] * 3, std=[64.0] * 3, num_classes=5),
                backbone=dict(type='ResNet_CIFAR', depth=18, base_channels=4, stem_channels=4),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(type='LinearClsHead', num_classes=5, in_channels=32),
            ),
            abnn=dict(alpha=0.3, num_samples=2, num_members=2, max_epochs=1),
            train_dataloader=dict(sampler=dict(type='DefaultSampler')),
            test_dataloader=dict(
                dataset=dict(
                    type='CustomDataset',
                    pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')],
                )
            ),
        ),
        format_python_code=False,
    )
    expand_abnn_section(cfg)
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    network = MODELS.build(cfg.model).eval()
    state = dict(network.state_dict())
    convert_to_abnn(network, alpha=0.3, include=['backbone.*'])
    members = [
        {name: tensor + 0.3 * torch.randn_like(tensor) for name, tensor in trained.items()}
        for trained in [member_tensors(network, state)] * 2
    ]
    network.set_members(members)
    meta = dict(origin_of(cfg), dataset_meta=dict(classes=CLASSES), members=[{}, {}])
    torch.save(dict(state_dict=with_members(state, members), meta=meta), tmp_path / 'abnn.pth')

    init_default_scope('mmseg')  # as where a segmentor was built before
    model = init_model(tmp_path / 'abnn.pth', device='cpu')
    init_default_scope('mmseg')  # and after it
    image = picture(0, 32, 32)
    result = inference_model(model, image)
    data = dict(inputs=[torch.from_numpy(image.transpose(2, 0, 1).copy())], data_samples=None)
    with torch.no_grad():
        (expected,) = network.predict(network.data_preprocessor(data)['inputs'])
    assert torch.equal(result.pred_score, expected.pred_score)
    assert model.dataset_meta['classes'] == CLASSES
    with pytest.raises(TypeError, match='is for segmentors, got MCImageClassifier'):
        ABNNInferencer(model)
