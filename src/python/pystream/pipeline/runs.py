"""Pipelines that run, each of which may become a stage of another one."""

from typing import Any, Callable, Dict, List, Optional, Tuple

from pystream import _core
from pystream.pipeline.description import Layout
from pystream.pipeline.letters import DeadLetter, PipelineStatus, dead_letter_of, status_of
from pystream.pipeline.names import CoreNames
from pystream.stage.stage import Stage
from pystream.utils.errors import PipelineUndefined

_NOT_RUNNING = "this pipeline does not run by itself: it was cleaned up, or has become a stage of another one"


class PipelineBase(Stage):
    """A pipeline that was started. ``Pipeline`` has one while it runs; ``Pipeline.as_stage()`` gives it."""

    def __init__(self, layout: Layout, options: Dict[str, Any]) -> None:
        self.layout = layout
        self.names = CoreNames()
        description = layout.describe(self.names, spawned=options["start_method"] == "spawn")
        self._core: Optional[_core.Run] = None
        self._result: List[Any] = []  # of a pipeline without stages
        self._ended = False
        take, shown_key = options.get("worker_lines"), self.names.shown_key
        if take is not None:
            options["worker_lines"] = lambda key, line: take(shown_key(key), line)
        if layout.members:
            self._core = _core.Run(description, options)

    def __call__(self, data: Any) -> Any:
        """Sends an item and gives the result that is there."""
        self.forward(data)
        return self.get_results()

    def forward(self, data: Any, stopped: Optional[Callable[[], bool]] = None) -> bool:
        """See ``Pipeline.forward()``; ``stopped`` tells when to wait no longer."""
        self._require_running()
        if self._core is None:
            self._result = [data]  # no stages: what goes in is what comes out
            return True
        return self._core.forward(data, stopped)

    def get_results(self) -> Any:
        """See ``Pipeline.get_results()``."""
        self._require_running()
        if self._core is None:
            return self._result.pop() if self._result else None
        return self._core.get_results()

    def get_all_results(self, limit: int) -> List[Any]:
        """See ``Pipeline.get_all_results()``."""
        self._require_running()
        if self._core is None:
            taken, self._result = self._result[:limit], self._result[limit:]
            return taken
        return self._core.get_all_results(limit)

    def drain(self, timeout: float) -> bool:
        """See ``Pipeline.drain()``."""
        self._require_running()
        return self._core is None or self._core.drain(timeout)

    def wait(self, timeout: float) -> bool:
        """See ``Pipeline.wait()``."""
        self._require_running()
        if self._core is None:
            raise PipelineUndefined("a pipeline without stages has no source that it could wait for")
        return self._core.wait(timeout)

    def status(self) -> PipelineStatus:
        """See ``Pipeline.status()``."""
        self._require_running()
        if self._core is None:
            return PipelineStatus(coordinator=0, given_up=0, stages=[], links=[])
        return status_of(self._core.status(), self.names)

    def profiles(self) -> Tuple[Dict[str, float], Dict[str, float]]:
        """See ``Pipeline.get_profiles()``; also of a pipeline that was cleaned up."""
        if self._core is None:
            return {}, {}
        latency, throughput = self._core.profiles()
        shown_key = self.names.shown_key
        return (
            {shown_key(key): value for key, value in latency.items()},
            {shown_key(key): value for key, value in throughput.items()},
        )

    def dead_letters(self, most: int) -> List[DeadLetter]:
        """See ``Pipeline.dead_letters()``; also of a pipeline that was cleaned up."""
        if self._core is None:
            return []
        return [dead_letter_of(letter, self.names) for letter in self._core.dead_letters(most)]

    def cleanup(self) -> None:
        """Ends the pipeline; see ``Pipeline.cleanup()``."""
        self._end(abandon=False)

    def abandon(self) -> None:
        """Ends it without the ``cleanup()`` of its stages, which go on in another pipeline."""
        self._end(abandon=True)

    def _end(self, abandon: bool) -> None:
        if not self._ended:
            self._ended = True
            if self._core is not None:
                self._core.cleanup(abandon)

    def _require_running(self) -> None:
        if self._ended:
            raise PipelineUndefined(_NOT_RUNNING)


class SerialPipeline(PipelineBase):
    """One stage after another in this process."""


class ParallelPipeline(PipelineBase):
    """Each stage in a process of its own."""


class BranchPipeline(PipelineBase):
    """Stages in processes of their own, each of which gets every item."""
