"""Items that a stage could not process, and what is known of a running pipeline."""

from dataclasses import dataclass
from typing import Any, List

from pystream import _core
from pystream.pipeline.names import CoreNames


@dataclass(frozen=True)
class DeadLetter:
    """An item that a stage in a worker could not process: it raised, or its worker died on it too often."""

    stage: str
    """Profile key of the stage."""
    sequence: int
    """Number of the item: that of its ``forward()``, from 0."""
    attempts: int
    """How often it was tried."""
    reason: str
    """The exception with its traceback, or how the worker died."""
    signal: int
    """The signal that killed the worker; 0: the stage raised."""
    stack: str
    """The stack of a worker that died, innermost place first; empty if it is not known."""
    data: bytes
    """The item's bytes, as they came to the worker of the stage."""

    @property
    def item(self) -> Any:
        """The item as the stage got it: call the stage with it in a debugger."""
        return _core.decoded(self.data)


@dataclass(frozen=True)
class StageStatus:
    """A stage of a running pipeline."""

    key: str
    pid: int
    """Its worker's process; the program's own in a serial pipeline; 0: it does not run at present."""
    items: int
    errors: int
    last_error: str
    restarts: int
    link_fill: float
    """How full the link in front of it is, 0 to 1."""


@dataclass(frozen=True)
class LinkStatus:
    """A link between two stages of a running pipeline."""

    name: str
    items: int
    dropped: int
    fill: float


@dataclass(frozen=True)
class PipelineStatus:
    """A running pipeline."""

    coordinator: int
    """The process that starts and watches the workers; 0: there are none."""
    given_up: int
    """Items that stages gave up, see ``Pipeline.dead_letters()``."""
    stages: List[StageStatus]
    links: List[LinkStatus]


def dead_letter_of(letter: _core.Letter, names: CoreNames) -> DeadLetter:
    """A letter of the library with the names of this pipeline's stages."""
    return DeadLetter(
        stage=names.shown_key(letter.stage),
        sequence=letter.sequence,
        attempts=letter.attempts,
        reason=letter.reason,
        signal=letter.signal,
        stack=letter.stack,
        data=letter.bytes,
    )


def status_of(status: _core.PipelineStatus, names: CoreNames) -> PipelineStatus:
    """The library's status with the names of this pipeline's stages."""
    return PipelineStatus(
        coordinator=status.coordinator,
        given_up=status.given_up,
        stages=[
            StageStatus(
                key=names.shown_key(stage.key),
                pid=stage.pid,
                items=stage.items,
                errors=stage.errors,
                last_error=stage.last_error,
                restarts=stage.restarts,
                link_fill=stage.link_fill,
            )
            for stage in status.stages
        ],
        links=[
            LinkStatus(name=names.shown_text(link.name), items=link.items, dropped=link.dropped, fill=link.fill)
            for link in status.links
        ],
    )
