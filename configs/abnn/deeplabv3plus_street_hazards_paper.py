# deeplabv3plus_street_hazards.py with the published equations to the letter
_base_ = [
    '../deeplabv3plus/deeplabv3plus_r50-d8_4xb2-80k_street_hazards-512x1024.py',
    '../_base_/models/abnn_paper.py',
]
load_from = 'work_dirs/deeplabv3plus_r50-d8_4xb2-80k_street_hazards-512x1024/iter_80000.pth'
