# The published equations to the letter: eps ~ N(0, 1), and a random eta for every class. No
# distribution of eta is given there: the normal one is ours.
_base_ = './abnn.py'

abnn = dict(alpha=1.0, include=('*',), eta=dict(_delete_=True, type='normal', std=0.5))
