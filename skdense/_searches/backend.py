"""The joblib backend by which fits of a search train together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from joblib import ParallelBackendBase

from .calls import Call, running
from .crowd import Crowd

# How many fits may wait for each other.
_MOST_CALLS = 256


class FusedBackend(ParallelBackendBase):
    """Runs joblib's calls in turns, and trains as one batch what they train.

    Registered as ``"skdense"``. Calls do not run at the same time: the parallel work is the
    batch's. Any `n_jobs` but 1 means as many calls as fit into memory.
    """

    default_n_jobs = -1
    supports_sharedmem = True
    uses_threads = True

    def __init__(self, nesting_level: int | None = None, **kwargs: Any) -> None:
        super().__init__(nesting_level=nesting_level, **kwargs)
        call = running.get()
        self._crowd = call.crowd if call is not None else Crowd()
        self._calls: list[Call] = []

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many calls are handed in at a time."""
        if n_jobs == 0:
            raise ValueError("n_jobs must be a number other than 0. Got 0 in Parallel.")
        return 1 if n_jobs == 1 else _MOST_CALLS

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None]) -> Call:
        """Take a call in, which runs when results are asked for."""
        call = self._crowd.add(func, callback)
        self._calls.append(call)
        return call

    def retrieve_result(self, out: Call, timeout: float | None = None) -> Any:
        """Let calls take turns until one has ended; returns what that one did."""
        result = self._crowd.finish(out)
        self._calls.remove(out)
        return result

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """End all calls, after an error or Ctrl-C."""
        calls, self._calls = self._calls, []
        self._crowd.cancel(calls)

    def get_nested_backend(self) -> tuple[ParallelBackendBase, int | None]:
        """Return what runs calls inside of calls: they take their turns with all others."""
        nested = FusedBackend(nesting_level=(self.nesting_level or 0) + 1)
        nested._crowd = self._crowd
        return nested, None
