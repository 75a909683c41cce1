"""Memory and threads of this process, as Linux counts them.

NaN where the system does not tell.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import nan
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_FORGET_PEAK = "5"


def resident_megabytes() -> float:
    """Return the memory that is in use now, in 1e6 bytes."""
    return _megabytes("VmRSS")


def peak_megabytes() -> float:
    """Return the most memory in use since the start, or since `forget_peak`, in 1e6 bytes.

    Unlike `resource.getrusage`, whose peak a child inherits from the process that started it.
    """
    return _megabytes("VmHWM")


def anonymous_megabytes() -> float:
    """Return the memory in use that is no page of a file, in 1e6 bytes."""
    return _megabytes("RssAnon")


def live_threads() -> float:
    """Return the number of threads, those of libraries too."""
    return float(_status().get("Threads", nan))


def forget_peak() -> None:
    """Let the peak begin anew, where the system allows it."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text(_FORGET_PEAK)


@dataclass
class Peak:
    """The most of something that was seen."""

    megabytes: float = nan

    def look(self) -> None:
        """Look at the memory that is no page of a file."""
        now = anonymous_megabytes()
        self.megabytes = now if self.megabytes != self.megabytes else max(now, self.megabytes)


@contextlib.contextmanager
def watched_anonymous_memory(interval: float = 0.005) -> Iterator[Peak]:
    """Look again and again at the memory that is no page of a file; the system keeps no peak."""
    peak, ends = Peak(), threading.Event()

    def watch() -> None:
        while not ends.wait(interval):
            peak.look()

    peak.look()
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ends.set()
        thread.join()
        peak.look()


def time_and_memory(run: Callable[[], object]) -> dict[str, float]:
    """Return the seconds that a call takes, and the memory that it needs besides what there is."""
    with watched_anonymous_memory() as peak:
        before = peak.megabytes
        started = time.perf_counter()
        run()
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "megabytes": peak.megabytes - before}


def _megabytes(name: str) -> float:
    value = _status().get(name)  # as "1234 kB"
    return nan if value is None else int(value.split()[0]) * 1024 / 1e6


def _status() -> dict[str, str]:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
