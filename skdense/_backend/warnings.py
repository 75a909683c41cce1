"""Warnings that point at the caller's own line."""

from __future__ import annotations

import sys
import warnings

# What may stand between the caller and a warning: this package, and scikit-learn's decorator.
_INSIDE = ("skdense", "sklearn.callback")


class SlowEngineWarning(UserWarning):
    """Training falls back on something many times slower than the compiled program."""


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line outside of this package that led here."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_inside(module: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in _INSIDE)
