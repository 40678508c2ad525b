# BDD-Anomaly, prepared by `python tools/dataset_converters/bdd_anomaly.py`; see docs/datasets.md.
# 'lpbnn' is the protocol of the ABNN table; `protocol` may be 'hendrycks' (16 classes), too.
_base_ = './ood_segmentation.py'

dataset = dict(type='BDDAnomalyDataset', data_root='data/bdd_anomaly/', protocol='lpbnn')
# images are 1280x720; crop, scales and batch are MMSegmentation's for Cityscapes
crop_size = (512, 1024)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadOODAnnotations'),
    dict(type='RandomResize', scale=(1280, 720), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_set = dict(**dataset, pipeline=_base_.test_pipeline, test_mode=True)
train_dataloader = dict(
    num_workers=4, dataset=dict(**dataset, split='train', pipeline=train_pipeline)
)
val_dataloader = dict(num_workers=4, dataset=dict(**test_set, split='val'))
# mIoU and calibration on the validation images, which hold no OOD pixel; OOD detection on the test
# images, all of which hold some
test_dataloader = dict(
    num_workers=4,
    dataset=dict(
        type='ConcatDataset',
        datasets=[dict(**test_set, split='val'), dict(**test_set, split='test')],
    ),
)
test_evaluator = dict(id_split='val', ood_split='test')
