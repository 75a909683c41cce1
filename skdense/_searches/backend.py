"""The joblib backend that trains fits of a search side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from joblib import ParallelBackendBase

from .calls import Call, current_call
from .scheduler import FitScheduler

# How many fits may wait for each other.
_MOST_CALLS = 256


class FitSchedulerBackend(ParallelBackendBase):
    """Run joblib's calls in turns, and what they train side by side.

    Registered as ``"skdense"``. Calls do not run at the same time: the parallel work is the
    training. Any `n_jobs` but 1 means as many calls as fit into memory.
    """

    default_n_jobs = -1
    supports_sharedmem = True
    uses_threads = True

    def __init__(self, nesting_level: int | None = None, **kwargs: Any) -> None:
        super().__init__(nesting_level=nesting_level, **kwargs)
        call = current_call()
        self._scheduler = call.scheduler if call is not None else FitScheduler()
        self._calls: list[Call] = []

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many calls are handed in at a time."""
        if n_jobs == 0:
            raise ValueError("n_jobs must be a number other than 0. Got 0 in Parallel.")
        return 1 if n_jobs == 1 else _MOST_CALLS

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None]) -> Call:
        """Add a call, which runs when results are asked for."""
        call = self._scheduler.add(func, callback)
        self._calls.append(call)
        return call

    def retrieve_result(self, out: Call, timeout: float | None = None) -> Any:
        """Run calls in turns until this one has ended; returns its result."""
        result = self._scheduler.finish(out)
        self._calls.remove(out)
        return result

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """End all calls, after an error or Ctrl-C."""
        calls, self._calls = self._calls, []
        self._scheduler.cancel(calls)

    def get_nested_backend(self) -> tuple[ParallelBackendBase, int | None]:
        """Return the backend of calls inside of calls: the scheduler is the same."""
        nested = FitSchedulerBackend(nesting_level=(self.nesting_level or 0) + 1)
        nested._scheduler = self._scheduler
        return nested, None
