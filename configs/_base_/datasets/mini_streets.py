# MiniStreets, written by `python tools/dataset_converters/mini_streets.py data/mini_streets`
dataset_type = 'MiniStreetsDataset'
data_root = 'data/mini_streets/'
crop_size = (128, 128)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadOODAnnotations'),
    # light and colours vary in the scenes themselves, so nothing here distorts them
    dict(type='RandomResize', scale=(256, 128), ratio_range=(1.0, 1.25), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
# what is packed in a test: MMSegmentation's own keys, and the split that an image comes from
meta_keys = (
    'img_path',
    'seg_map_path',
    'ori_shape',
    'img_shape',
    'pad_shape',
    'scale_factor',
    'flip',
    'flip_direction',
    'reduce_zero_label',
    'split',
)
load_annotations = dict(type='LoadOODAnnotations', keep_ood=True)
pack_inputs = dict(type='PackSegInputs', meta_keys=meta_keys)
test_pipeline = [dict(type='LoadImageFromFile'), load_annotations, pack_inputs]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
            [load_annotations],
            [pack_inputs],
        ],
    ),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type=dataset_type, data_root=data_root, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='val',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                type=dataset_type,
                data_root=data_root,
                split='test_id',
                pipeline=test_pipeline,
                test_mode=True,
            ),
            dict(
                type=dataset_type,
                data_root=data_root,
                split='test_ood',
                pipeline=test_pipeline,
                test_mode=True,
            ),
        ],
    ),
)
val_evaluator = dict(type='UncertaintyMetric')
test_evaluator = dict(type='UncertaintyMetric', id_split='test_id', ood_split='test_ood')
