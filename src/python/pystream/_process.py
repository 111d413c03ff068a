"""What Python itself is told around the fork that makes workers. Called by the extension."""

import sys


def flush() -> None:
    """Writes what was printed and is still in a buffer."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # there is none, or it is closed
            pass


def before_fork() -> None:
    """What the program has printed must not be printed again by each of its copies."""
    flush()


def become_worker() -> None:
    """A worker may be killed at any time; what its stages print before that is to be seen."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)
