"""The tools as modules, for tests of their functions."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from helpers.tool_runner import ROOT


def load_tool(name: str) -> ModuleType:
    """Import ``tools/<name>``, with the modules beside it, as Python does when it runs it."""
    path = ROOT / 'tools' / name
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    # a tool may have the name of a package beside it, which must stay importable
    spec = spec_from_file_location(f'tool_{path.stem}', path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
