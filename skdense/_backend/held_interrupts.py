"""Ctrl-C held back until what goes on can be left."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def held_interrupts() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until the function that this yields is called, or the block ends.

    Where the block ends by another exception, that is the cause of the KeyboardInterrupt.
    Amid an operation of TensorFlow the exception got lost in 1 of 100 fits, or crashed the
    process. A second Ctrl-C is not held back. Outside of the main thread, and where somebody
    handles the signal in another way, nothing changes.
    """
    arrived: list[int] = []
    usual = signal.default_int_handler
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not usual:
        yield lambda: None
        return

    def hold(number: int, frame: FrameType | None) -> None:
        arrived.append(number)
        if len(arrived) > 1:
            usual(number, frame)

    def let_go() -> None:
        if arrived:
            arrived.clear()
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, hold)
    try:
        yield let_go
    except Exception as error:
        if arrived:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, usual)
    let_go()
