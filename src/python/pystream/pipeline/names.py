"""Names of stages: the rules, and how those that the library does not know are carried through it."""

import itertools
import re
import threading
from typing import Any, Dict, Iterable, Optional

from pystream.stage.stage import Stage
from pystream.utils.errors import InvalidStageName
from pystream.utils.general import _FINAL_STAGE_NAME, _PIPELINE_NAME_IN_PROFILE, _PROFILE_LEVEL_SEPARATOR

_counter = itertools.count(1)
_counter_lock = threading.Lock()


def default_name() -> str:
    """``Stage_1``, ``Stage_2``, ... for all pipelines of the program together."""
    with _counter_lock:
        return f"Stage_{next(_counter)}"


def require_valid(name: str) -> None:
    """Raises InvalidStageName that says which rule is broken."""
    reserved = (_PIPELINE_NAME_IN_PROFILE, _FINAL_STAGE_NAME)
    if name == "":
        fault = "a stage name must not be empty"
    elif name in reserved:
        fault = f"a stage must not be named {name}, that name is reserved"
    elif "-" in name:
        fault = 'a stage name must not contain "-"'
    elif _PROFILE_LEVEL_SEPARATOR in name:
        fault = 'a stage name must not contain "__", which separates the levels of profile keys'
    elif name.startswith("_"):
        fault = 'a stage name must not begin with "_"'
    elif name.endswith("_"):
        fault = 'a stage name must not end with "_"'
    else:
        return
    raise InvalidStageName(f'"{name}": {fault}')


def name_of(stage: Any, name: Optional[str]) -> str:
    """The name of a stage: the one it was added with, its own, or the next default one. Stages learn theirs."""
    if name is None:
        own = stage.name if isinstance(stage, Stage) else ""
        name = own or default_name()
    require_valid(name)
    if isinstance(stage, Stage):
        stage.name = name
    return name


class CoreNames:
    """Names as the library takes them (letters, digits and single ``_``, each once in a pipeline), and back."""

    def __init__(self) -> None:
        self._given: Dict[str, str] = {}  # by profile key of the library

    def add(self, name: str, taken: Iterable[str], pipeline: str) -> str:
        """The library's name for a stage of this name in the pipeline of this key, which has ``taken`` already."""
        plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "Stage"
        core = plain
        for number in itertools.count(2):
            if core not in taken and core not in (_PIPELINE_NAME_IN_PROFILE, _FINAL_STAGE_NAME):
                break
            core = f"{plain}_{number}"
        if core != name:
            shown = name if core == plain else f"{name} ({core.rpartition('_')[2]})"
            self._given[f"{pipeline}{_PROFILE_LEVEL_SEPARATOR}{core}"] = shown
        return core

    def shown_key(self, key: str) -> str:
        """A profile key of the library with the names that the stages were given."""
        if not self._given:
            return key
        core_key = ""
        levels = []
        for level in key.split(_PROFILE_LEVEL_SEPARATOR):
            core, mark, replica = level.partition("#")
            core_key = f"{core_key}{_PROFILE_LEVEL_SEPARATOR}{core}" if core_key else core
            levels.append(self._given.get(core_key, core) + mark + replica)
        return _PROFILE_LEVEL_SEPARATOR.join(levels)

    def shown_text(self, text: str) -> str:
        """A sentence of the library, with these names in its profile keys."""
        if not self._given:
            return text
        return re.sub(rf"{_PIPELINE_NAME_IN_PROFILE}(?:__[A-Za-z0-9_#]+)?", lambda match: self.shown_key(match[0]), text)
