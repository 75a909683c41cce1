"""Infinite numbers, named by their column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def require_finite(numbers: Array, column: Any, argument: str) -> None:
    """Raise ValueError if numbers of a column are infinite, before or after a cast."""
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        what_to_do = "Replace it by NaN, which counts as missing, or clip it."
        raise ValueError(
            describe_infinity(argument, column, infinite[0], str(numbers.dtype), what_to_do)
        )


def describe_infinity(argument: str, column: Any, row: int, dtype: str, what_to_do: str) -> str:
    """Return what scikit-learn says of an infinite number, and where it is."""
    larger = " Numbers too large for float32 need dtype='float64'." if dtype == "float32" else ""
    return (
        f"Input {argument} contains infinity or a value too large for dtype({dtype!r}) in column "
        f"{column!r}, first in row {row}. {argument} must have finite numbers. {what_to_do}{larger}"
    )
