# MMSegmentation's DeepLabV3+ on BDD-Anomaly, by its recipe for Cityscapes
_base_ = [
    'mmseg::_base_/models/deeplabv3plus_r50-d8.py',
    '../_base_/datasets/bdd_anomaly.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/schedule_80k.py',
]
head = dict(num_classes=17, loss_decode=dict(avg_non_ignore=True))
model = dict(data_preprocessor=dict(size=_base_.crop_size), decode_head=head, auxiliary_head=head)
