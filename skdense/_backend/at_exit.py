"""What a process does at its end, and children forked from it do not."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable


def at_exit(function: Callable[[], object]) -> None:
    """Call a function when this process ends.

    A forked child inherits what is registered, but neither the threads that it may wait for, nor
    the right to take away what its parent still uses.
    """
    process = os.getpid()

    def call_here() -> None:
        if os.getpid() == process:
            function()

    atexit.register(call_here)
