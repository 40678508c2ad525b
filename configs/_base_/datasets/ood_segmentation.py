# What the loaders of all datasets with OOD labels have in common
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
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='UncertaintyMetric')
test_evaluator = dict(type='UncertaintyMetric')
