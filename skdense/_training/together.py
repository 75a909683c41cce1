"""Who trains what a thread asks for: by default itself, at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from .task import Outcome, TrainingTask

trainer: ContextVar[Callable[[list[TrainingTask]], list[Outcome]] | None]
trainer = ContextVar("trainer", default=None)
"""Trains tasks in place of `engines.train_now`; None for that."""

ending: ContextVar[threading.Event | None] = ContextVar("ending", default=None)
"""Set where a training in another thread is to end, as by Ctrl-C, which only the main one gets."""


def numpy_errors() -> dict[str, Any]:
    """Return what `np.errstate` takes to have another thread treat errors as this one does."""
    return {**np.geterr(), "call": np.geterrcall()}


def end_if_told() -> None:
    """Raise KeyboardInterrupt where this thread's training is to end."""
    event = ending.get()
    if event is not None and event.is_set():
        raise KeyboardInterrupt
