# MC-Dropout: the dropout of the heads stays on, 9 passes (as many as 3 members x 3 draws). Test it
# with the checkpoint of the network itself, which is trained with dropout.
_base_ = '../deeplabv3plus/deeplabv3plus_r50-d8_4xb2-80k_street_hazards-512x1024.py'

model = dict(type='MCEncoderDecoder', test_cfg=dict(draws='dropout', num_samples=9, seed=0))
