# StreetHazards, prepared by `python tools/dataset_converters/street_hazards.py`; see
# docs/datasets.md. `miou_classes=12` leaves the class 'unlabeled' out of the mIoU.
_base_ = './ood_segmentation.py'

dataset = dict(type='StreetHazardsDataset', data_root='data/street_hazards/', miou_classes=13)
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
# its one test split holds anomalies and in-distribution pixels: everything is measured on it
test_dataloader = dict(num_workers=4, dataset=dict(**test_set, split='test'))
