# The ABNN that mini_streets.py varies. Its settings stand here, so that the defaults may follow
# what is found without changing what was measured.
_base_ = '../abnn/deeplabv3plus_mini_streets.py'
abnn = dict(
    num_members=3,
    num_samples=3,
    alpha=0.2,
    noise_shape='channel',
    trainable='norm',
    include=('backbone.*',),
    eta=dict(_delete_=True, type='sparse', weight=0.5),
    max_iters=40,
    optimizer=dict(
        _delete_=True, type='SGD', lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4
    ),
)
model = dict(test_cfg=dict(temperature=0.88))
