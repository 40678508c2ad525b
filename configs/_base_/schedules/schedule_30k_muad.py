# Of TorchUncertainty's experiment with DeepLabV3+ on MUAD: 30,000 iterations, SGD 0.1, poly 0.9.
# It trains in bfloat16: `tools/train.py --amp`
_base_ = './schedule_80k.py'

max_iters = 30000
optim_wrapper = dict(optimizer=dict(lr=0.1, weight_decay=1e-4))
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0.0, by_epoch=False, begin=0, end=max_iters)
]
train_cfg = dict(max_iters=max_iters, val_interval=3000)
default_hooks = dict(checkpoint=dict(interval=3000))
