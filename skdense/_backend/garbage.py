"""Putting off Python's garbage collection while much is made and nothing thrown away."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collected_later() -> Iterator[None]:
    """Suspend garbage collection, which would look through all that is being made, in vain.

    It takes a quarter of the time that TensorFlow needs to be imported.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
