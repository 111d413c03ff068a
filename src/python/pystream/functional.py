"""Pipelines without a ``Pipeline``: functions made of functions."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, List, Sequence

_default_executor = ThreadPoolExecutor(max_workers=10, thread_name_prefix="pystream-functional")


def func_serial(funcs: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """A function that passes its argument through all of ``funcs``, one after another.

    >>> func_serial([lambda x: x + 1, lambda x: x * 2])(3)
    8
    """
    chain: List[Callable[[Any], Any]] = list(funcs)

    def run(data: Any) -> Any:
        for func in chain:
            data = func(data)
        return data

    return run


def func_parallel_thread(
    funcs: Sequence[Callable[[Any], Any]], executor: ThreadPoolExecutor = _default_executor
) -> Callable[[Any], Any]:
    """A function that calls all of ``funcs`` with its argument at once, on threads, and gives the argument back.

    What the functions return is dropped, so they change the argument itself. It waits for all of them; then the first
    exception, in the order of ``funcs``, comes out. The executor of its own has ten threads; give one if the functions
    may take for ever, or call ``func_parallel_thread`` functions themselves.

    >>> func_parallel_thread([lambda d: d.update(a=1), lambda d: d.update(b=2)])({}) == {"a": 1, "b": 2}
    True
    """
    together: List[Callable[[Any], Any]] = list(funcs)

    def run(data: Any) -> Any:
        futures = [executor.submit(func, data) for func in together]
        errors = [future.exception() for future in futures]
        for error in errors:
            if error is not None:
                raise error
        return data

    return run
