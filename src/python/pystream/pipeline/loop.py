"""The thread that feeds a pipeline from its input generator."""

import threading
import time
from typing import Callable, Optional

from pystream.utils.errors import PipelineUndefined
from pystream.utils.logger import LOGGER


class Loop:
    """Calls ``cycle`` every ``period`` seconds from a thread of its own until ``stop()``.

    ``cycle`` gets a callable that is true once it is to wait no longer.
    """

    def __init__(self, cycle: Callable[[Callable[[], bool]], object], period: float) -> None:
        self._cycle = cycle
        self._period = period
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pystream-loop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the loop and waits for the cycle in work, unless that is the one that calls this."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        next_cycle: Optional[float] = None
        while not self._stop.is_set():
            try:
                self._cycle(self._stop.is_set)
            except PipelineUndefined:
                return  # it was cleaned up meanwhile
            except Exception:
                LOGGER.exception("the loop of the input generator ends, because a cycle raised")
                return
            # Counted from the last cycle's own moment, so that late wake-ups do not add up; missed ones are left out.
            now = time.monotonic()
            next_cycle = now if next_cycle is None else next_cycle
            next_cycle += self._period
            if next_cycle < now:
                next_cycle = now
            self._stop.wait(next_cycle - now)
