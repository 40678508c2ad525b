# ImageNet as MMPretrain prepares it for its ViT; OOD are the test images of DTD
# (a file of its own, as the pipeline inherited from a base config is set into two places)
_base_ = 'mmpretrain::_base_/datasets/imagenet_bs64_pil_resize_autoaug.py'

test_dataloader = dict(
    _delete_=True,
    batch_size=32,
    num_workers=5,
    dataset=dict(
        type='OODTestSet',
        dataset=dict(
            type='ImageNet',
            data_root='data/imagenet',
            split='val',
            pipeline={{_base_.test_pipeline}},
        ),
        ood=dict(
            DTD=dict(
                type='DTDDataset',
                data_root='data/dtd',
                split='test',
                pipeline={{_base_.test_pipeline}},
            ),
        ),
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = [dict(type='Accuracy', topk=(1, 5)), dict(type='ClassificationUncertaintyMetric')]
test_evaluator = dict(
    _delete_=True, type='ClassificationUncertaintyMetric', scores=['msp', 'entropy']
)
