# MMPretrain's runtime, with our packages imported
_base_ = 'mmpretrain::_base_/default_runtime.py'

custom_imports = dict(imports=['mmseg_abnn.classification'], allow_failed_imports=False)
randomness = dict(seed=0)
