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


@contextlib.contextmanager
def counted_as_old() -> Iterator[None]:
    """Suspend garbage collection while modules are imported, and count all there is as old.

    Or else the first collections would walk twice through the 600,000 objects of TensorFlow's
    modules, a quarter of a second long, to find that they are not young.
    """
    with collected_later():
        yield
        # Thawed objects are old ones. Those that somebody else has frozen must stay so.
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
