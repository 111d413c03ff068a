"""The exceptions of the package. Each message says what happened, where, and what to do."""

from typing import Optional


class Error(Exception):
    """Base of every exception that the package raises on purpose, unless it is a ValueError as well."""


class PipelineUndefined(Error):
    """A pipeline was used before ``serialize()`` or ``parallelize()``, or after ``cleanup()``."""


class PipelineTerminated(Error):
    """A running pipeline failed: a stage gave up for good, or its coordinator process is gone.

    Every call raises it until ``cleanup()`` or a new start.
    """

    stage: str = ""
    """Profile key of the stage that failed; empty if it is not known."""
    signal: int = 0
    """The signal that killed its worker; 0 if none did."""
    item: Optional[int] = None
    """Number of the item in work, if there was one."""


class PipelineInitiationError(Error):
    """A pipeline could not be started."""


class InvalidStageName(Error, ValueError):
    """The name of a stage breaks one of the rules; the message says which."""


class ProfilingError(Error, ValueError):
    """A profile was asked for and cannot be given."""


class PayloadError(Error):
    """An item is not what the stage that gets it can take."""


class ItemTooLarge(Error):
    """An item is larger than the largest one that a link carries (``capacity={"bytes": ...}``)."""


class StageBroken(Error):
    """Raised by a stage that cannot go on, whichever item comes: it ends the run, whatever ``on_error`` says."""
