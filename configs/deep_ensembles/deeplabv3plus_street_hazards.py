# A Deep Ensemble: networks trained from different seeds, put into one checkpoint and tested by
#   CONFIG=configs/deeplabv3plus/deeplabv3plus_r50-d8_4xb2-80k_street_hazards-512x1024.py
#   for SEED in 0 1 2; do
#     python tools/train.py $CONFIG --work-dir work_dirs/ensemble/$SEED \
#         --cfg-options randomness.seed=$SEED
#   done
#   python tools/misc/merge_networks.py work_dirs/ensemble/*/iter_80000.pth \
#       --out work_dirs/ensemble/ensemble.pth
#   python tools/test.py configs/deep_ensembles/deeplabv3plus_street_hazards.py \
#       work_dirs/ensemble/ensemble.pth
_base_ = '../deeplabv3plus/deeplabv3plus_r50-d8_4xb2-80k_street_hazards-512x1024.py'

model = dict(type='MCEncoderDecoder', test_cfg=dict(draws='none'))
custom_hooks = [dict(type='CheckpointMembersHook')]
