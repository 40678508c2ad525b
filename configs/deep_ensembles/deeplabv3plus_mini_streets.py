# A Deep Ensemble: networks trained from different seeds (--cfg-options randomness.seed=1), put into
# one checkpoint by tools/misc/merge_networks.py
_base_ = '../deeplabv3plus/deeplabv3plus_r18-d8_mini_streets.py'

model = dict(type='MCEncoderDecoder', test_cfg=dict(num_samples=1))
custom_hooks = [dict(type='ABNNConversionHook', alpha=0.0)]
