# An ABNN from the network that the first file trains
_base_ = [
    '../deeplabv3plus/deeplabv3plus_r18-d8_mini_streets.py',
    '../_base_/models/abnn.py',
]
load_from = 'work_dirs/deeplabv3plus_r18-d8_mini_streets/iter_700.pth'
# ours, by docs/ablation.md, on images of another seed: more noise finds more OOD objects if more
# draws average it, and a lower temperature undoes what the averaging does to the probabilities
abnn = dict(
    alpha=0.3,
    num_samples=10,
    temperature=0.65,
    labels_from='base',  # of the network before the conversion: the noise costs no mIoU
    max_iters=40,
)
