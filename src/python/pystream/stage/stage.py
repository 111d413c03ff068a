"""What a stage of a pipeline is."""

from abc import ABC, abstractmethod
from typing import Any, Callable, Union


class Stage(ABC):
    """A stage as a class: for one that keeps something from item to item, or has to clean up.

    In a parallel pipeline the object is copied into a process of its own when the pipeline starts. What it sets on
    itself there can be read on the object that was added once ``Pipeline.cleanup()`` has returned, as far as it can be
    pickled. A worker that died is replaced by one with a new copy.

    >>> class Count(Stage):
    ...     def __init__(self) -> None:
    ...         self.items = 0
    ...     def __call__(self, data: int) -> int:
    ...         self.items += 1
    ...         return data * 2
    ...     def cleanup(self) -> None:
    ...         pass
    >>> count = Count()
    >>> count(4), count.items
    (8, 1)
    """

    name: str = ""
    """The stage's name; if it is empty, the pipeline sets it when it starts."""

    @abstractmethod
    def __call__(self, data: Any) -> Any:
        """Takes an item and gives the next one.

        A generator gives any number of them: ``yield`` each, or nothing to leave the item out. An exception makes the
        item a dead letter in a parallel pipeline, see ``Pipeline.dead_letters()``; in a serial one it comes out of
        ``forward()``.
        """

    @abstractmethod
    def cleanup(self) -> None:
        """Called once when the pipeline is cleaned up, in the process that ran the stage."""


StageCallable = Union[Callable[[Any], Any], Stage]
"""A stage: any callable that takes an item and gives one, or an object of a class derived from ``Stage``."""
