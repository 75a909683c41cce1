"""Integers of 128 bits, which NumPy lacks."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw


def is_wide(dtype: Any) -> bool:
    """Say whether a dtype of narwhals is one of integers of 128 bits."""
    return dtype in (nw.Int128, nw.UInt128)


def cast_wide_integers(data: Any) -> Any:
    """Return a frame or a series with float64 in place of such integers, and other data as is."""
    if type(data).__module__.partition(".")[0] not in ("polars", "narwhals"):
        return data  # of a library that has none
    read = nw.from_native(data, eager_only=True, allow_series=True, pass_through=True)
    if isinstance(read, nw.Series):
        return read.cast(nw.Float64()).to_native() if is_wide(read.dtype) else data
    if not isinstance(read, nw.DataFrame):
        return data
    wide = [name for name, dtype in read.schema.items() if is_wide(dtype)]
    return read.with_columns(nw.col(*wide).cast(nw.Float64())).to_native() if wide else data
