"""Who trains what a thread asks for: by default itself, at once."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from .task import Outcome, TrainingTask

trainer: ContextVar[Callable[[list[TrainingTask]], list[Outcome]] | None]
trainer = ContextVar("trainer", default=None)
"""Trains tasks in place of `engines.train_now`; None for that."""
