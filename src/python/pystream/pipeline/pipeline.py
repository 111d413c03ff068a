"""The pipeline."""

import atexit
import os
import sys
import weakref
from types import TracebackType
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Type, Union

from pystream.pipeline.description import Layout, Member, Registered
from pystream.pipeline.letters import DeadLetter, PipelineStatus
from pystream.pipeline.loop import Loop
from pystream.pipeline.runs import BranchPipeline, ParallelPipeline, PipelineBase, SerialPipeline
from pystream.stage.stage import Stage, StageCallable
from pystream.utils.errors import PipelineInitiationError, PipelineUndefined
from pystream.utils.general import get_profiler_db_folder
from pystream.utils.logger import LOGGER


class _FromGenerator:
    """Stands for an item that the input generator makes."""


_FROM_GENERATOR = _FromGenerator()

Capacity = Union[int, Mapping[str, Any], None]
"""How much a link holds: a number of items, or a dict of "items", "bytes" and "time" (seconds); None: the library
chooses, as far as the consumer works off within 100 ms."""


class Pipeline:
    """A streaming pipeline of stages: in this process, or with every stage in a process of its own.

    :param input_generator: makes the items of ``start_loop()`` and of ``forward()`` without an argument.
    :param use_profiler: ``get_profiles()`` gives latencies and throughputs.

    >>> pipeline = Pipeline()
    >>> pipeline.add(lambda x: x + 1, "AddOne")
    >>> pipeline.add(lambda x: x * 2, "Double")
    >>> with pipeline.parallelize(block_output=True):
    ...     pipeline.forward(3)
    ...     pipeline.get_results()
    True
    8

    Several threads may call ``forward()``, ``get_results()`` and ``status()`` at once. A pipeline acts only in the
    process that made it.
    """

    def __init__(self, input_generator: Optional[Callable[[], Any]] = None, use_profiler: bool = False) -> None:
        self.stages_sequence: List[StageCallable] = []
        self.stage_names: List[Optional[str]] = []
        self.pipeline: Optional[PipelineBase] = None
        self._stage_options: List[Dict[str, Any]] = []
        self._source: Optional[Member] = None
        self._sink: Optional[Member] = None
        self._input_generator = input_generator
        self._use_profiler = use_profiler
        self._profiler_db_folder = get_profiler_db_folder()
        self._loop: Optional[Loop] = None
        self._last: Optional[PipelineBase] = None  # the one that ran last
        self._process = os.getpid()
        _pipelines.add(self)

    def add(
        self,
        stage: Union[StageCallable, Registered],
        name: Optional[str] = None,
        *,
        replicas: int = 1,
        share: Union[str, Callable[[Any], Any]] = "turn",
        on_error: Optional[str] = None,
        on_crash: Optional[str] = None,
        max_attempts: Optional[int] = None,
        timeout: Optional[float] = None,
        start_timeout: Optional[float] = None,
        zero_copy: bool = False,
        takes: Optional[str] = None,
        gives: Optional[str] = None,
    ) -> None:
        """Adds a stage behind those that are there; a running pipeline gets it when it is started again.

        :param stage: a callable that takes an item and gives one, a ``Stage``, a pipeline (``as_stage()``), or a stage
            of C++ (``Registered``). A generator function gives any number of items for one.
        :param name: the last part of its profile key; without one it is the stage's own, or ``Stage_1``, ``Stage_2``,
            and so on. Names are checked when the pipeline is started.

        The others are for pipelines with workers:

        :param replicas: so many of it run beside one another; results keep their order.
        :param share: how they share the items: in "turn", by who is "least_loaded", or by a callable that gives an item's
            key: all items of one key are for the same replica. (It is not for ``start_method="spawn"``.)
        :param on_error: what follows when it raises: "dead_letter" (the default), "skip", "retry" or "fail".
        :param on_crash: what follows when its worker dies on an item: "replay" (the default; after ``max_attempts``
            deaths the item becomes a dead letter), "skip" or "fail".
        :param timeout: seconds for one item; a worker that takes longer is killed and replaced.
        :param start_timeout: seconds until it is ready, and for its ``cleanup()``.
        :param zero_copy: numpy arrays are read-only views into shared memory, for the length of the call alone.
        :param takes: "bytes" or "text": the items come from a stage of C++ as such.
        :param gives: "bytes", "text" or "image": the items go to a stage of C++ as such; an image is a numpy array.
        """
        options = {
            "replicas": replicas,
            "share": share,
            "on_error": on_error,
            "on_crash": on_crash,
            "max_attempts": max_attempts,
            "timeout": timeout,
            "start_timeout": start_timeout,
            "zero_copy": zero_copy,
            "takes": takes,
            "gives": gives,
        }
        self.stages_sequence.append(stage)  # type: ignore[arg-type]  # PyStream's programs read this list
        self.stage_names.append(name)
        self._stage_options.append(options)

    def source(self, source: Any, name: str = "Source", *, on_error: Optional[str] = None) -> None:
        """What the pipeline reads its items from, in a worker of its own; ``forward()`` then raises.

        :param source: an iterable, a callable that gives one (a generator function), or a ``Registered`` source.
        :param on_error: what follows when it raises: "fail" (the default: the run ends behind what was given),
            "dead_letter" or "skip".

        A source whose worker dies goes on where it was: its new copy is iterated from the start, and what was given
        already is skipped. If that is not possible, as with a camera, give it a method ``resume(given)``, which is told
        how many items were given and from then on gives the next ones.

        >>> pipeline = Pipeline()
        >>> pipeline.source(range(4))
        >>> pipeline.add(lambda x: x * x, "Square")
        >>> with pipeline.parallelize(block_output=True, results="all"):
        ...     [pipeline.get_results() for _ in range(4)]
        [0, 1, 4, 9]
        """
        if self._source is not None:
            raise PipelineInitiationError("the pipeline has a source already")
        self._source = Member(source, name, {"on_error": on_error})

    def sink(
        self,
        sink: Union[Callable[[Any], Any], Registered],
        name: str = "Sink",
        *,
        on_error: Optional[str] = None,
        on_crash: Optional[str] = None,
        max_attempts: Optional[int] = None,
        timeout: Optional[float] = None,
        zero_copy: bool = False,
        takes: Optional[str] = None,
    ) -> None:
        """Where the pipeline puts its results, in a worker of its own; ``get_results()`` then raises. What it does to
        the outside world is done at least once if its worker is killed.

        :param sink: a callable that takes an item; what it returns is dropped.
        """
        if self._sink is not None:
            raise PipelineInitiationError("the pipeline has a sink already")
        options = {
            "on_error": on_error,
            "on_crash": on_crash,
            "max_attempts": max_attempts,
            "timeout": timeout,
            "zero_copy": zero_copy,
            "takes": takes,
        }
        self._sink = Member(sink, name, options)

    def serialize(self, *, results: str = "newest") -> "Pipeline":
        """Runs the pipeline in this process: ``forward()`` calls one stage after another, and hands on the objects
        themselves. What a stage raises comes out of ``forward()``. Pipelines inside that are parallel have workers.

        :param results: "newest": ``get_results()`` gives the newest one; "all": every one, in order.
        """
        return self._start("serial", self._options(results=results))

    def parallelize(
        self,
        block_input: bool = True,
        input_timeout: float = 10,
        block_output: bool = False,
        output_timeout: float = 10,
        *,
        results: str = "newest",
        capacity: Capacity = 2,
        overflow: str = "block",
        max_restarts: int = 10,
        restart_window: float = 60,
        stop_timeout: float = 2,
        start_method: str = "fork",
        plugins: Sequence[str] = (),
        worker_lines: Optional[Callable[[str, str], Any]] = None,
    ) -> "Pipeline":
        """Runs every stage in a process of its own, and returns when all are ready.

        :param block_input: ``forward()`` waits while the first link is full,
        :param input_timeout: for so many seconds.
        :param block_output: ``get_results()`` waits for a result,
        :param output_timeout: for so many seconds.
        :param results: "newest": ``get_results()`` gives the newest result, and the pipeline never waits for it;
            "all": every result, in order, and the pipeline waits for a reader.
        :param capacity: how much each link holds.
        :param overflow: what a full link does with one more item: "block", "drop_newest" or "drop_oldest".
        :param max_restarts: more restarts of workers than that
        :param restart_window: within so many seconds, without an item in between, end the run.
        :param stop_timeout: seconds that ``cleanup()`` gives the stages to finish.
        :param start_method: "fork": the workers are copies of this process, so any callable is a stage; "spawn": each
            is a fresh interpreter, which gets its stage pickled (by cloudpickle, if that is installed), and what a
            stage sets on itself does not come back.
        :param plugins: shared libraries with the types of ``Registered`` stages, beyond those that are always there.
        :param worker_lines: is called with a stage's profile key and a line that its worker wrote to standard error, during the
            next call of this pipeline, at the latest in ``cleanup()``. Without it such lines go to this program's
            standard error; a notebook shows them with ``worker_lines=lambda stage, line: print(stage, line)``.

        With "fork", start threads afterwards: a lock that one of them holds at this moment stays locked in the workers.
        A warning names those there are.
        """
        return self._start("parallel", self._options(
            block_input=block_input,
            input_timeout=input_timeout,
            block_output=block_output,
            output_timeout=output_timeout,
            results=results,
            capacity=capacity,
            overflow=overflow,
            max_restarts=max_restarts,
            restart_window=restart_window,
            stop_timeout=stop_timeout,
            start_method=start_method,
            plugins=list(plugins),
            worker_lines=worker_lines,
        ))

    def branch(
        self,
        join: str = "zip",
        *,
        block_input: bool = True,
        input_timeout: float = 10,
        block_output: bool = False,
        output_timeout: float = 10,
        results: str = "newest",
        capacity: Capacity = 2,
    ) -> "Pipeline":
        """As ``parallelize()``, but each stage gets every item.

        :param join: what becomes of their answers: "zip": one tuple of all; "merge": all, in the order of the stages;
            "first": that of the stage which is the first to give one; "none": nothing, each branch is a pipeline with a
            ``sink()``, and the items go on unchanged.

        >>> both = Pipeline()
        >>> both.add(lambda x: x + 1, "More")
        >>> both.add(lambda x: x - 1, "Less")
        >>> with both.branch(block_output=True):
        ...     both.forward(5)
        ...     both.get_results()
        True
        (6, 4)
        """
        return self._start("branch", self._options(
            block_input=block_input,
            input_timeout=input_timeout,
            block_output=block_output,
            output_timeout=output_timeout,
            results=results,
            capacity=capacity,
        ), join)

    def forward(self, data: Any = _FROM_GENERATOR) -> bool:
        """Sends an item into the pipeline; without one, what the input generator makes.

        :return: False if there was no room for it in time.
        """
        running = self._running()
        if data is _FROM_GENERATOR:
            data = self._generated()
        return running.forward(data)

    def get_results(self) -> Any:
        """A result, which is given once; None if there is none."""
        return self._running().get_results()

    def get_all_results(self, limit: int = sys.maxsize) -> List[Any]:
        """The results that are there, in order, at most ``limit``. With ``block_output`` it waits for the first."""
        return self._running().get_all_results(limit)

    def start_loop(self, period: float = 0.01) -> None:
        """Forwards an item of the input generator every ``period`` seconds, from a thread, until ``stop_loop()``."""
        self._running()
        self.stop_loop()
        self._loop = Loop(lambda stopped: self._running().forward(self._generated(), stopped), period)

    def stop_loop(self) -> None:
        """Ends the loop. Does nothing if there is none."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()

    def drain(self, timeout: float) -> bool:
        """Waits until everything that went in has come out, was filtered out, or was given up; a source ends first.

        :return: False if that took longer than ``timeout`` seconds.
        """
        return self._running().drain(timeout)

    def wait(self, timeout: float = float("inf")) -> bool:
        """Waits until the source has ended and everything that it gave was processed.

        :return: False if that took longer than ``timeout`` seconds.
        """
        return self._running().wait(timeout)

    def run(self, **options: Any) -> None:
        """Starts a pipeline with a source and a sink, waits for the end of the source, and cleans up.

        :param options: those of ``parallelize()``.
        """
        if self._source is None or self._sink is None:
            missing = "source" if self._source is None else "sink"
            raise PipelineInitiationError(
                f"run() needs a source and a sink, and this pipeline has no {missing}; add it, or call parallelize() "
                "and feed or read the pipeline yourself"
            )
        with self.parallelize(**options):
            self.wait()

    def as_stage(self) -> Stage:
        """This pipeline as a stage of another one, in the mode that it was started in. It no longer runs by itself.

        >>> inner = Pipeline()
        >>> inner.add(lambda x: x + 1)
        >>> inner.add(lambda x: x * 2)
        >>> outer = Pipeline()
        >>> outer.add(inner.serialize().as_stage(), "Inner")
        >>> with outer.parallelize(block_output=True):
        ...     outer.forward(1)
        ...     outer.get_results()
        True
        4
        """
        running = self._running()
        if self._source is not None:
            raise PipelineUndefined("a pipeline with a source cannot become a stage of another one")
        self.stop_loop()
        running.abandon()
        return running

    def cleanup(self) -> None:
        """Ends the pipeline: stages finish the item in work, their ``cleanup()`` runs, and what they have set on
        themselves can be read. What waits between the stages is dropped; call ``drain()`` first if it matters."""
        self.stop_loop()
        running, self.pipeline = self.pipeline, None
        if running is not None:
            running.cleanup()

    def get_profiles(self) -> Tuple[Dict[str, float], Dict[str, float]]:
        """Mean latencies (seconds) and throughputs (items per second) by profile key, such as ``MainPipeline__Blur``;
        after ``cleanup()`` those of the last run. Without ``use_profiler`` an error is logged, and both are empty."""
        if not self._use_profiler:
            LOGGER.error("there are no profiles: this pipeline was made without use_profiler=True")
            return {}, {}
        return self._last.profiles() if self._last is not None else ({}, {})

    def status(self) -> PipelineStatus:
        """What each stage and each link does at present."""
        return self._running().status()

    def dead_letters(self, most: int = 1000) -> List[DeadLetter]:
        """The first ``most`` items that a stage in a worker could not process, each with the reason; after
        ``cleanup()`` those of the last run. Run them again in a debugger: ``stage(letter.item)``."""
        if self._last is None:
            raise PipelineUndefined("the pipeline has not run yet; call serialize() or parallelize() first")
        return self._last.dead_letters(most)

    def __enter__(self) -> "Pipeline":
        return self

    def __exit__(
        self,
        exception_type: Optional[Type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.cleanup()

    def _running(self) -> PipelineBase:
        if self.pipeline is None:
            raise PipelineUndefined("the pipeline does not run; call serialize() or parallelize() first")
        return self.pipeline

    def _generated(self) -> Any:
        return self._input_generator() if self._input_generator is not None else None

    def _options(self, **given: Any) -> Dict[str, Any]:
        options: Dict[str, Any] = {
            "block_input": True,
            "input_timeout": 10,
            "block_output": False,
            "output_timeout": 10,
            "results": "newest",
            "use_profiler": self._use_profiler,
            "profiler_db_folder": self._profiler_db_folder,
            "capacity": 2,
            "start_method": "fork",
            "plugins": [],
            **given,
        }
        if options["start_method"] not in ("fork", "spawn"):
            raise ValueError(f'start_method: found {options["start_method"]!r}, expected "fork" or "spawn"')
        if options["start_method"] == "spawn":
            options["plugins"] = ["libpystream_python.so", *options["plugins"]]
        if options["results"] not in ("newest", "all"):
            raise ValueError(f'results: found {options["results"]!r}, expected "newest" or "all"')
        capacity = options["capacity"]
        options["capacity"] = {"items": capacity} if isinstance(capacity, int) else dict(capacity or {})
        return options

    def _start(self, mode: str, options: Dict[str, Any], join: str = "zip") -> "Pipeline":
        self.cleanup()
        members = [
            Member(stage, name, stage_options)
            for stage, name, stage_options in zip(self.stages_sequence, self.stage_names, self._stage_options)
        ]
        layout = Layout(mode, members, join=join, source=self._source, sink=self._sink)
        kinds: Dict[str, Type[PipelineBase]] = {
            "serial": SerialPipeline,
            "parallel": ParallelPipeline,
            "branch": BranchPipeline,
        }
        self.pipeline = self._last = kinds[mode](layout, options)
        return self


_pipelines: "weakref.WeakSet[Pipeline]" = weakref.WeakSet()


def _clean_up_all() -> None:
    """The program ends: what runs is cleaned up while Python is whole."""
    for pipeline in list(_pipelines):
        if pipeline._process == os.getpid():
            try:
                pipeline.cleanup()
            except Exception:
                LOGGER.exception("a pipeline could not be cleaned up at the program's end")


atexit.register(_clean_up_all)
