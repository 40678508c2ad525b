# The ABNN that mini_streets.py varies. All its settings stand here, so that the defaults may follow
# what is found without changing what was measured.
_base_ = [
    '../deeplabv3plus/deeplabv3plus_r18-d8_mini_streets.py',
    '../_base_/models/abnn.py',
]
load_from = 'work_dirs/deeplabv3plus_r18-d8_mini_streets/iter_700.pth'
abnn = dict(
    num_members=3,
    num_samples=3,
    seed=0,
    alpha=0.2,
    noise_shape='channel',
    trainable='norm',
    include=('backbone.*',),
    exclude=(),
    eta=dict(_delete_=True, type='sparse', weight=0.5),
    max_iters=40,
    max_epochs=None,
    optimizer=dict(
        _delete_=True, type='SGD', lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4
    ),
    temperature=0.88,
)
