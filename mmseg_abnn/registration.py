"""What importing the package does beside giving names: the side effects, in their order."""

from .compat import check_stack, enable_mmseg_config_inheritance
from .package_configs import enable_own_config_inheritance

check_stack()
enable_mmseg_config_inheritance()
enable_own_config_inheritance()

from . import datasets, engine, evaluation, models  # noqa: E402, F401  their classes register
from .conversion import install_guards  # noqa: E402
from .engine.entry_points import guard_entry_points  # noqa: E402

install_guards()
guard_entry_points()
