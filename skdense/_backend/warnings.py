"""Warnings that point at the caller's own line."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from contextvars import ContextVar

# What may stand between the caller and a warning: this package, and scikit-learn's decorator.
_INSIDE = ("skdense", "sklearn.callback")


class SlowEngineWarning(UserWarning):
    """Training falls back on something many times slower than the compiled program."""


CollectedWarning = tuple[str, type[Warning]]
_collected: ContextVar[list[CollectedWarning] | None] = ContextVar("collected", default=None)


@contextlib.contextmanager
def collected_warnings() -> Iterator[list[CollectedWarning]]:
    """Collect what `warn_caller` is called with in this context, in place of warning.

    For threads without a caller to point at. Unlike `warnings.catch_warnings`, this changes
    nothing for other threads.
    """
    messages: list[CollectedWarning] = []
    token = _collected.set(messages)
    try:
        yield messages
    finally:
        _collected.reset(token)


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line outside of this package that led here."""
    messages = _collected.get()
    if messages is not None:
        messages.append((message, category))
        return
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_inside(module: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in _INSIDE)
