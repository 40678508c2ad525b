# deeplabv3plus_muad.py with the published equations to the letter
_base_ = [
    '../deeplabv3plus/deeplabv3plus_r50-d8_4xb3-30k_muad-768x768.py',
    '../_base_/models/abnn_paper.py',
]
load_from = 'work_dirs/deeplabv3plus_r50-d8_4xb3-30k_muad-768x768/iter_30000.pth'
abnn = dict(max_iters=1500)  # ours: 5% of the base's schedule
