# Temperature scaling: one pass without noise, the logits divided by T.
# tools/misc/fit_temperature.py finds T: --cfg-options model.test_cfg.temperature=T
_base_ = '../deeplabv3plus/deeplabv3plus_r50-d8_4xb2-80k_bdd_anomaly-512x1024.py'

model = dict(type='MCEncoderDecoder', test_cfg=dict(draws='none', temperature=1.0))
custom_hooks = [dict(type='CheckpointMembersHook')]  # refuses weights that do not fit
