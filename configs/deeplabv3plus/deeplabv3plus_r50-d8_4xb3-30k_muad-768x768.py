# MMSegmentation's DeepLabV3+ on MUAD, by the recipe of TorchUncertainty's experiment (whose classes
# are weighted; here they are not)
_base_ = [
    'mmseg::_base_/models/deeplabv3plus_r50-d8.py',
    '../_base_/datasets/muad.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/schedule_30k_muad.py',
]
head = dict(num_classes=19, loss_decode=dict(avg_non_ignore=True))
model = dict(data_preprocessor=dict(size=_base_.crop_size), decode_head=head, auxiliary_head=head)
