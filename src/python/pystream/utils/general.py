"""Names in profiles, and the folder of the profile database."""

import os
import threading
from typing import Optional, Union

from pystream import _core

_PIPELINE_NAME_IN_PROFILE = "MainPipeline"
_PROFILE_LEVEL_SEPARATOR = "__"
_FINAL_STAGE_NAME = "FinalStage"

_folder_lock = threading.Lock()
_folder: Optional[str] = None


def set_profiler_db_folder(folder_path: Union[str, "os.PathLike[str]"]) -> None:
    """Sets the folder of the profile database for pipelines that are made from now on.

    >>> set_profiler_db_folder("/tmp/profiles")
    >>> get_profiler_db_folder()
    '/tmp/profiles'
    """
    global _folder
    with _folder_lock:
        _folder = os.fspath(folder_path)


def get_profiler_db_folder() -> str:
    """The folder of the profile database; without ``set_profiler_db_folder()`` it is ``$XDG_STATE_HOME/pystream``, or
    ``~/.local/state/pystream``."""
    with _folder_lock:
        return _folder if _folder is not None else _core.default_profiler_db_folder()
