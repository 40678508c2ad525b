# Handwritten digits that come with scikit-learn: 0 to 7 are the classes
dataset_type = 'DigitsDataset'
data_preprocessor = dict(num_classes=8, mean=[127.5] * 3, std=[127.5] * 3, to_rgb=False)
train_pipeline = [
    dict(type='RandomCrop', crop_size=16, padding=2),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]

train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    persistent_workers=True,
    dataset=dict(type=dataset_type, split='train', pipeline=train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=0,
    dataset=dict(type=dataset_type, split='val', pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = dict(
    batch_size=128,
    num_workers=0,
    dataset=dict(
        type='OODTestSet',
        dataset=dict(type=dataset_type, split='test', pipeline=test_pipeline),
        ood=dict(
            unseen=dict(type=dataset_type, split='unseen', pipeline=test_pipeline),
            shuffled=dict(type=dataset_type, split='shuffled', pipeline=test_pipeline),
            textures=dict(type=dataset_type, split='textures', pipeline=test_pipeline),
        ),
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='ClassificationUncertaintyMetric')
test_evaluator = dict(type='ClassificationUncertaintyMetric', scores=['msp', 'entropy'])
