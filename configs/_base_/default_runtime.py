# MMSegmentation's runtime, with our packages imported and a picture of the uncertainty
_base_ = 'mmseg::_base_/default_runtime.py'

custom_imports = dict(imports=['mmseg_abnn'], allow_failed_imports=False)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=10, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2000, max_keep_ckpts=1),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='UncertaintyVisualizationHook'),
)
randomness = dict(seed=0)
