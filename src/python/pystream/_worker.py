"""What makes Python stages in workers that were not forked from the program. Called by the plugin for plan files."""

import base64
import functools
import importlib
import importlib.util
import os
import pickle
import sys
from typing import Any, Dict, List, Optional

from pystream import _core
from pystream.stage.stage import Stage
from pystream.utils.errors import Error

_loaded: Dict[str, Any] = {}


def _module(name: str) -> Any:
    """The module of a file, or of a name."""
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = os.path.abspath(name)
    if path not in _loaded:
        if not os.path.isfile(path):
            raise Error(f'found the module "{name}", expected a file; there is none at {path}')
        folder, file = os.path.split(path)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        spec = importlib.util.spec_from_file_location(file[:-3], path)
        if spec is None or spec.loader is None:
            raise Error(f'the module "{name}" cannot be loaded')
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(file[:-3], module)
        spec.loader.exec_module(module)
        _loaded[path] = module
    return _loaded[path]


def _callable(
    module: Optional[str], call: Optional[str], arguments: Optional[Dict[str, Any]], pickled: Optional[str]
) -> Any:
    if pickled is not None:
        return pickle.loads(base64.b64decode(pickled))
    if module is None or call is None:
        raise Error('found no "module" or no "call", expected both: the file, and what of it is called')
    found = _module(module)
    for part in call.split("."):
        if not hasattr(found, part):
            raise Error(f'the module "{module}" has no "{call}"')
        found = getattr(found, part)
    if isinstance(found, type):
        return found(**(arguments or {}))
    return functools.partial(found, **arguments) if arguments else found


def stage(
    module: Optional[str] = None,
    call: Optional[str] = None,
    arguments: Optional[Dict[str, Any]] = None,
    path: Optional[List[str]] = None,
    interpreter: Optional[str] = None,
    pickle: Optional[str] = None,
    zero_copy: bool = False,
    takes: str = "object",
    gives: str = "object",
) -> Any:
    """A capsule of a stage."""
    made = _callable(module, call, arguments, pickle)
    return _core.stage_capsule(made, isinstance(made, Stage), zero_copy, takes, gives)


def sink(
    module: Optional[str] = None,
    call: Optional[str] = None,
    arguments: Optional[Dict[str, Any]] = None,
    path: Optional[List[str]] = None,
    interpreter: Optional[str] = None,
    pickle: Optional[str] = None,
    zero_copy: bool = False,
    takes: str = "object",
) -> Any:
    """A capsule of a sink."""
    made = _callable(module, call, arguments, pickle)
    return _core.sink_capsule(made, isinstance(made, Stage), zero_copy, takes)


def source(
    module: Optional[str] = None,
    call: Optional[str] = None,
    arguments: Optional[Dict[str, Any]] = None,
    path: Optional[List[str]] = None,
    interpreter: Optional[str] = None,
    pickle: Optional[str] = None,
) -> Any:
    """A capsule of a source."""
    return _core.source_capsule(_callable(module, call, arguments, pickle))
