# The section `abnn` with its defaults: what makes an ABNN from the config of any segmentor
abnn = dict(
    # M and L as in the public code of a co-author for classification; by docs/ablation.md five
    # members or ten draws are better, and cost time in proportion: more noise needs more draws
    num_members=3,
    num_samples=3,
    seed=0,
    # how the mean is taken, see docs/method.md: 'noise', 'dropout' or 'none'; the temperature of
    # each draw; labels from the 'mean' or from the network itself, the 'base'
    draws='noise',
    temperature=1.0,
    labels_from='mean',
    include_base=False,
    draw_per_image=False,
    # ours, on the safe side: in docs/ablation.md 0.1 cost no mIoU, and 0.2 found more OOD objects
    alpha=0.1,
    noise_shape='channel',  # a distribution over gamma, as the equation says
    trainable='norm',
    # ours, by docs/ablation.md: noise in the heads costs calibration and mIoU, and finds no more
    include=('backbone.*',),
    exclude=(),
    # ours: half the weight for int(sqrt(C)) random classes; in docs/ablation.md no family was
    # better than another, or than none
    eta=dict(type='sparse', weight=0.5),
    max_iters=4000,  # ours: 5% of a schedule of 80,000 iterations, as short ones were enough
    max_epochs=None,  # in place of max_iters, for schedules in epochs
    # optimizer=dict(lr=0.1) changes the rate alone; where a config inherits from this one, another
    # optimizer takes `_delete_=True`: optimizer=dict(_delete_=True, type='AdamW', lr=1e-4).
    # SGD with Nesterov's momentum and this weight decay as in the authors' code; the rate is ours
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4),
)
