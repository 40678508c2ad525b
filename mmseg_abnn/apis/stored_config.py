"""The config in a checkpoint: written as text without absolute paths, read without running it.

MMEngine writes a config into every checkpoint as Python code, and reads such text by executing it.
Here it is parsed: names, literals and ``dict(...)``, nothing else. A class in it must be named as
the registries of the OpenMMLab packages know it, as MMEngine would import and call whatever a
dotted name says.
"""

import ast
import importlib
import os
import sys
from collections.abc import Mapping
from keyword import iskeyword
from pprint import pformat
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

from .config_parts import LOADING, dicts_in
from .registered import name_of_class, name_of_path, registries

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
    # a copy: to look at a class that a config imports lazily is to import it, in the config too
    whole = cfg.to_dict()
    plain = _plain({key: value for key, value in whole.items() if key not in _OF_THE_RUN})
    return ''.join(
        f'{key} = {pformat(value, width=96, sort_dicts=False)}\n'
        for key, value in sorted(plain.items())
        if str(key).isidentifier() and not iskeyword(str(key))
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if key not in _OF_A_LOOP}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, str):
        return _relative(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):  # of NumPy, or of an enumeration
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if hasattr(value, '__name__'):  # a class or a function, of a config in the pure Python style
        return name_of_class(value) or f'{value.__module__}.{value.__name__}'
    return str(value)


def _relative(text: str) -> str:
    expanded = os.path.expanduser(text)
    return os.path.basename(os.path.normpath(expanded)) if os.path.isabs(expanded) else text


def read_config_text(text: str, source: str) -> Config:
    """Read a config from text, without running it.

    Args:
        text: Python code that assigns literals and ``dict(...)`` to names.
        source: The file that it is from, for messages.

    Returns:
        The config. Modules that it asks to import are imported if they belong to an OpenMMLab
        package or to this one, and no others: :func:`resolve_names` says of what is to be built
        whether it can be.

    Raises:
        ValueError: If the text holds anything else, or a scope that is no OpenMMLab package.
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
        _check_scopes(values)
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
    if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Name):
        return -_literal(node.operand)  # -inf
    return ast.literal_eval(node)


def _called_dict(node: ast.Call) -> dict[Any, Any]:
    pairs = [_literal(argument) for argument in node.args]
    if any(keyword.arg is None for keyword in node.keywords) or len(pairs) > 1:
        raise ValueError(f'line {node.lineno} unpacks a dict')
    named = {keyword.arg: _literal(keyword.value) for keyword in node.keywords}
    return {**dict(*pairs), **named}


def _import_modules(values: Mapping[str, Any]) -> None:
    for name in _imports(values):
        if name not in sys.modules and name.partition('.')[0] in _SCOPES:
            try:
                importlib.import_module(name)
            except ImportError as error:
                raise ValueError(f'it needs the module {name!r}: {error}') from error


def _imports(values: Mapping[str, Any]) -> list[str]:
    imports = values.get('custom_imports') or {}
    names = imports.get('imports', []) if isinstance(imports, Mapping) else []
    listed = [names] if isinstance(names, str) else names
    return [name for name in listed if isinstance(name, str)]


def _check_scopes(values: Any) -> None:
    for part in dicts_in(values):
        for key in ('_scope_', 'default_scope'):
            if part.get(key) not in (*_SCOPES, None):
                raise ValueError(f'it has `{key}`={part[key]!r}, allowed are {sorted(_SCOPES)}')


def resolve_names(part: Any, cfg: Config, source: str) -> None:
    """Replace paths of classes by their registered names, in place, in a part of a stored config.

    MMEngine takes a name that nothing has registered for one of a module, imports it, and calls
    what it finds: none may be left.

    Args:
        part: What is to be built: a network, or a pipeline.
        cfg: The config, which may name modules to import.
        source: The file that it is from, for messages.

    Raises:
        ValueError: If a class is not registered.
    """
    found = list(dicts_in(part))
    etas = [id(each.get('eta')) for each in found]  # settings of a loss, whose type is no class
    known = {name for inner in registries() for name in inner.module_dict}
    for each in found:
        if 'type' not in each or id(each) in etas:
            continue
        path = str(each['type'])
        before, _, name = path.rpartition('.')
        if before and before not in _SCOPES:
            name = each['type'] = name_of_path(path) or path
        if name not in known:
            missing = [each for each in _imports(cfg) if each not in sys.modules]
            hint = f', such as {", ".join(missing)}' if missing else ''
            raise ValueError(
                f'the config in {source} needs {path!r}, which nothing has registered: import '
                f'the module that registers it{hint}, or give a config file beside the checkpoint'
            )
