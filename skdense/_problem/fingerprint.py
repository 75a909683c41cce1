"""What tells apart what trainings watch."""

from __future__ import annotations

from typing import Any

import joblib

from .rows import Rows


def take_fingerprint(watched: list[Rows], scoring: Any) -> str:
    """Return what tells apart what is watched: scores of other rows do not compare."""
    if not watched:
        return ""
    held = [[rows.inputs, rows.targets, rows.weights] for rows in watched]
    key: str = joblib.hash([*held, repr(scoring)])
    return key
