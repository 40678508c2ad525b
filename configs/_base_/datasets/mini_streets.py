# MiniStreets, written by `python tools/dataset_converters/mini_streets.py data/mini_streets`
_base_ = './ood_segmentation.py'

dataset = dict(type='MiniStreetsDataset', data_root='data/mini_streets/')
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
test_set = dict(**dataset, pipeline=_base_.test_pipeline, test_mode=True)
train_dataloader = dict(
    batch_size=4, dataset=dict(**dataset, split='train', pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(**test_set, split='val'))
test_dataloader = dict(
    dataset=dict(
        type='ConcatDataset',
        datasets=[dict(**test_set, split='test_id'), dict(**test_set, split='test_ood')],
    )
)
test_evaluator = dict(id_split='test_id', ood_split='test_ood')
