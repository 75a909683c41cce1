"""Preparing what comes next while the present is worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def one_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield the function of each item in order, computing the next one in a thread meanwhile.

    There are never more than two results that the caller has not let go, and the thread ends
    with the last one, or when the caller stops asking. Items are drawn in the caller's thread.
    """
    remaining = iter(items)
    first = list(islice(remaining, 2))
    if len(first) < 2:
        yield from map(function, first)
        return
    with ThreadPoolExecutor(1, "skdense-prefetching") as thread:
        coming = thread.submit(function, first.pop(0))
        for item in chain(first, remaining):
            result, coming = coming.result(), thread.submit(function, item)
            yield result
            del result
        yield coming.result()
