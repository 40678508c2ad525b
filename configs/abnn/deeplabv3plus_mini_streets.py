# An ABNN from the network that the first file trains
_base_ = [
    '../deeplabv3plus/deeplabv3plus_r18-d8_mini_streets.py',
    '../_base_/models/abnn.py',
]
load_from = 'work_dirs/deeplabv3plus_r18-d8_mini_streets/iter_700.pth'
# ours, by docs/ablation.md, on images of another seed: alpha and the temperature belong together
abnn = dict(alpha=0.2, max_iters=40)
model = dict(test_cfg=dict(temperature=0.85))
