# MUAD, prepared by `python tools/dataset_converters/muad.py`; see docs/datasets.md.
# The datasets' `protocol` may be 'challenge' (16 classes) or 'torch_uncertainty' (15), too.
_base_ = './ood_segmentation.py'

dataset = dict(type='MUADDataset', data_root='data/muad/', protocol='paper')
# images are 2048x1024; crop and batch (12 on 4 GPUs) are those of TorchUncertainty's experiment,
# the scales are MMSegmentation's for Cityscapes
crop_size = (768, 768)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadOODAnnotations'),
    dict(type='RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
# 1024x512 goes in, as in that experiment; what comes out is measured at the size of the labels
resize = dict(type='Resize', scale=(1024, 512), keep_ratio=True)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    _base_.load_annotations,
    _base_.pack_inputs,
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [resize],
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
            [_base_.load_annotations],
            [_base_.pack_inputs],
        ],
    ),
]
test_set = dict(**dataset, pipeline=test_pipeline, test_mode=True)
train_dataloader = dict(
    batch_size=3,
    num_workers=4,
    dataset=dict(**dataset, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=4, dataset=dict(**test_set, split='val'))
test_dataloader = dict(
    num_workers=4,
    dataset=dict(
        type='ConcatDataset',
        datasets=[dict(**test_set, split='test_id'), dict(**test_set, split='test_ood')],
    ),
)
test_evaluator = dict(id_split='test_id', ood_split='test_ood')
