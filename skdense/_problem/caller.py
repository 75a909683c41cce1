"""Who called a fit: a user, who may stop it, or something that fits many times."""

from __future__ import annotations

import sys

from .._backend.warnings import warn_caller

# Parts of scikit-learn that fit once what they hold.
_FIT_ONCE = (
    "sklearn.base",
    "sklearn.callback",
    "sklearn.compose",
    "sklearn.pipeline",
    "sklearn.utils",
)


def is_one_of_many_fits() -> bool:
    """Say whether joblib or a part of scikit-learn that fits many times is above the caller.

    There Ctrl-C has to end the whole search: a fit that took it for itself would only bring on
    the next one. Neither scikit-learn nor joblib tells a fit that it is one of many, not even by
    an environment variable or a context, so that the callers' names are all there is to go by.
    """
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        package = name.partition(".")[0]
        if package in ("joblib", "dask", "distributed", "ray"):
            return True
        if package == "sklearn" and not name.startswith(_FIT_ONCE):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def warn_of_interruption(n_epochs: int) -> None:
    """Warn that a fit was stopped by Ctrl-C, after so many epochs."""
    warn_caller(
        f"Training was interrupted after {n_epochs} epoch(s). The estimator is fitted, with the "
        "best weights so far under early stopping, else with the last."
    )
