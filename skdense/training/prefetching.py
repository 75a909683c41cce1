"""Preparing what comes next while the present is worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def one_ahead(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield the function of each item in order, computing the next one in a thread meanwhile.

    There are never more than two results that the caller has not let go, and the thread ends
    with the last one, or when the caller stops asking.
    """
    if len(items) < 2:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(1, "skdense-prefetching") as thread:
        coming = thread.submit(function, items[0])
        for item in items[1:]:
            result, coming = coming.result(), thread.submit(function, item)
            yield result
            del result
        yield coming.result()
