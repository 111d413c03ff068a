"""What Python itself is told around the fork that makes workers. Called by the extension."""

import sys
import threading
from typing import Set

from pystream.utils.logger import LOGGER


def flush() -> None:
    """Writes what was printed and is still in a buffer."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # there is none, or it is closed
            pass


_known: Set[str] = set()


def _warn_of_threads() -> None:
    """Once for each thread. Those of this package hold no lock that a stage could want, and those of libraries in C,
    which Python does not know, have hooks of their own."""
    names = {
        thread.name
        for thread in threading.enumerate()
        if thread is not threading.current_thread() and not thread.name.startswith("pystream-")
    }
    if names - _known:
        LOGGER.warning(
            "parallelize() forks while this process has other threads (%s); a lock that one of them holds now stays "
            "locked in the workers. Start threads afterwards",
            ", ".join(sorted(names)),
        )
    _known.update(names)


def before_fork() -> None:
    """What the program has printed must not be printed again by each of its copies."""
    _warn_of_threads()
    flush()


def become_worker() -> None:
    """A worker may be killed at any time; what its stages print before that is to be seen."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)


def use_standard_error() -> None:
    """What is written to sys.stderr goes to the worker's own standard error, whatever the program had in its place."""
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
