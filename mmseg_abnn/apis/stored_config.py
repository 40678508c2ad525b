"""The config in a checkpoint: written as text without absolute paths, read without running it.

MMEngine writes a config into every checkpoint as Python code, and reads such text by executing it.
Here it is parsed: names, literals and ``dict(...)``, nothing else. A class in it must be named as
the registries of the OpenMMLab packages know it, as MMEngine would import and call whatever a
dotted name says.
"""

import ast
import os
import sys
from collections.abc import Mapping
from pprint import pformat
from typing import Any

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

from .config_parts import LOADING, dicts_in
from .registered import registries

_SCOPES = {*MODULE2PACKAGE, 'mmengine', 'mmseg_abnn'}
# where and how a training ran; what came out of it does not depend on these
_OF_THE_RUN = (
    *('load_from', 'work_dir', 'launcher', 'resume', 'experiment_name', 'model_wrapper_cfg'),
    *('default_hooks', 'env_cfg', 'log_level', 'log_processor', 'vis_backends', 'visualizer'),
)
_OF_A_LOOP = (*LOADING, 'val_interval', 'val_begin')


def write_config_text(cfg: Config) -> str:
    """Return a config as text that MMEngine and :func:`read_config_text` read.

    Args:
        cfg: A complete config. Absolute paths in it are cut to their last part, and what says where
            and how a training runs is left out: files, hooks for its log and its checkpoints, the
            launcher, workers.
    """
    plain = _plain({key: cfg[key] for key in cfg if key not in _OF_THE_RUN})
    return ''.join(
        f'{key} = {pformat(value, width=96, sort_dicts=False)}\n'
        for key, value in sorted(plain.items())
        if str(key).isidentifier()
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if key not in _OF_A_LOOP}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, str):
        return _relative(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    name = getattr(value, '__name__', None)
    if name is not None:  # a class or a function, of a config in the pure Python style
        return name if _is_registered(name, value) else f'{value.__module__}.{name}'
    return str(value)


def _relative(text: str) -> str:
    expanded = os.path.expanduser(text)
    return os.path.basename(os.path.normpath(expanded)) if os.path.isabs(expanded) else text


def _is_registered(name: str, value: Any) -> bool:
    return any(inner.module_dict.get(name) is value for inner in registries())


def read_config_text(text: str, source: str) -> Config:
    """Read a config from text, without running it.

    Args:
        text: Python code that assigns literals and ``dict(...)`` to names.
        source: The file that it is from, for messages.

    Returns:
        The config. Modules that it asks to import are imported if they belong to an OpenMMLab
        package or to this one.

    Raises:
        ValueError: If the text holds anything else, names a class by a path that no registry
            knows, or needs a module of the user's that is not imported yet.
    """
    if not isinstance(text, str):
        raise ValueError(f'the config in {source} is no text, got {type(text).__name__}')
    values: dict[str, Any] = {}
    try:
        for statement in ast.parse(text).body:
            if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
                raise ValueError(f'line {statement.lineno} assigns nothing to a name')
            target = statement.targets[0]
            if not isinstance(target, ast.Name):
                raise ValueError(f'line {statement.lineno} assigns nothing to a name')
            values[target.id] = _literal(statement.value)
        _import_modules(values)
        _check_names(values)
        return Config(values)
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError) as error:
        raise ValueError(
            f'the config in {source} cannot be used: {error or type(error).__name__}. Give a '
            'config file that you trust beside the checkpoint'
        ) from error


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        return _called_dict(node)
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ValueError(f'line {node.lineno} unpacks a dict')
        keys = [_literal(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_literal, node.values), strict=True))
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_literal(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.Attribute):  # a class, as MMEngine writes it
        return f'{_literal(node.value)}.{node.attr}'
    if isinstance(node, ast.Name):
        return float(node.id) if node.id in ('inf', 'nan') else node.id
    return ast.literal_eval(node)


def _called_dict(node: ast.Call) -> dict[Any, Any]:
    pairs = [_literal(argument) for argument in node.args]
    if any(keyword.arg is None for keyword in node.keywords) or len(pairs) > 1:
        raise ValueError(f'line {node.lineno} unpacks a dict')
    named = {keyword.arg: _literal(keyword.value) for keyword in node.keywords}
    return {**dict(*pairs), **named}


def _import_modules(values: Mapping[str, Any]) -> None:
    imports = values.get('custom_imports') or {}
    names = imports.get('imports', []) if isinstance(imports, Mapping) else []
    for name in [names] if isinstance(names, str) else names:
        if name in sys.modules:
            continue
        if name.partition('.')[0] not in _SCOPES:
            raise ValueError(
                f'it needs the module {name!r}, which a file must not import: `import {name}` '
                'before, if it is yours'
            )
        __import__(name)


def _check_names(value: Any) -> None:
    """Replace paths of registered classes by their names, in place; refuse other paths."""
    if isinstance(value, dict):
        for key in ('_scope_', 'default_scope'):
            if value.get(key) not in {*_SCOPES, None}:
                raise ValueError(f'it has `{key}`={value[key]!r}, allowed are {sorted(_SCOPES)}')
        if isinstance(value.get('type'), str):
            value['type'] = _registered_name(value['type'])
        for item in value.values():
            _check_names(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_names(item)


def _registered_name(path: str) -> str:
    before, _, name = path.rpartition('.')
    if not before or before in _SCOPES:
        return path
    known = [inner.module_dict.get(name) for inner in registries()]
    if not any(f'{c.__module__}.{c.__name__}' == path for c in known if c is not None):
        raise ValueError(f'it names a class by its path, which no registry knows: {path!r}')
    return name


def check_registered(part: Any, source: str) -> None:
    """Raise ValueError if a part of a stored config names a class that is not registered.

    MMEngine would take such a name for one of a module, import it, and call what it finds.

    Args:
        part: What is to be built: a network, or a pipeline.
        source: The file that it is from, for messages.
    """
    found = list(dicts_in(part))
    etas = [id(each.get('eta')) for each in found]  # settings of a loss, whose type is no class
    names = {each['type'] for each in found if 'type' in each and id(each) not in etas}
    known = {name for inner in registries() for name in inner.module_dict}
    unknown = sorted(n for n in map(str, names) if n.rpartition('.')[2] not in known)
    if unknown:
        raise ValueError(
            f'the config in {source} needs {unknown}, which nothing has registered: import the '
            'module that registers it before, or give a config file beside the checkpoint'
        )
