# MMSegmentation's schedule for Cityscapes; pictures show the uncertainty too
_base_ = 'mmseg::_base_/schedules/schedule_80k.py'

default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=1),
    visualization=dict(type='UncertaintyVisualizationHook'),
)
