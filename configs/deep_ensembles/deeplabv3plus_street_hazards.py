# A Deep Ensemble: networks trained from different seeds (--cfg-options randomness.seed=1), put into
# one checkpoint by tools/misc/merge_networks.py
_base_ = '../deeplabv3plus/deeplabv3plus_r50-d8_4xb2-80k_street_hazards-512x1024.py'

model = dict(type='MCEncoderDecoder', test_cfg=dict(num_samples=1))
custom_hooks = [dict(type='ABNNConversionHook', alpha=0.0)]
