# CIFAR-100 as MMPretrain prepares it; OOD are the test images of SVHN
# (a file of its own, as the pipeline inherited from a base config is set into two places)
_base_ = 'mmpretrain::_base_/datasets/cifar100_bs16.py'

# on one GPU the batch that the schedules are made for; nothing is downloaded
train_dataloader = dict(batch_size=128, dataset=dict(download=False))
val_dataloader = dict(batch_size=128, dataset=dict(download=False))
test_dataloader = dict(
    _delete_=True,
    batch_size=128,
    num_workers=2,
    dataset=dict(
        type='OODTestSet',
        dataset=dict(
            type='CIFAR100',
            data_root='data/cifar100',
            split='test',
            download=False,
            pipeline={{_base_.test_pipeline}},
        ),
        ood=dict(
            SVHN=dict(
                type='SVHNDataset',
                data_root='data/svhn',
                split='test',
                pipeline={{_base_.test_pipeline}},
            ),
        ),
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = [dict(type='Accuracy', topk=(1,)), dict(type='ClassificationUncertaintyMetric')]
test_evaluator = dict(
    _delete_=True, type='ClassificationUncertaintyMetric', scores=['msp', 'entropy']
)
