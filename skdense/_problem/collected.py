"""Frames without rows in memory: those of Dask, Polars' lazy ones, tables of databases."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

# What makes rows in memory, by library.
_COLLECT = {"dask": "compute()", "polars": "collect()"}


def require_collected(data: Any, name: str, *, to_predict: bool = False) -> None:
    """Raise TypeError for data whose rows are not in memory.

    Arrays of Dask pass, as NumPy makes arrays of them, unless they do not know their length.

    Parameters
    ----------
    data
    name : str
        Of the argument, for the message.
    to_predict : bool
        Whether it is the X of a prediction.
    """
    if data is None or isinstance(data, np.ndarray) or not _is_lazy(data):
        return
    kind = type(nw.to_native(data, pass_through=True))
    library = kind.__module__.partition(".")[0]
    collect = f"Call its {_COLLECT[library]}" if library in _COLLECT else "Collect it"
    what_else = "predict each partition" if to_predict else "pass each partition to partial_fit"
    raise TypeError(
        f"{name} must have its rows in memory. Got {kind.__name__} of {library}, which is lazy. "
        f"{collect}, or {what_else}."
    )


def _is_lazy(data: Any) -> bool:
    if hasattr(type(data), "__dask_graph__"):
        is_array = hasattr(type(data), "__array_function__")
        return not is_array or any(length != length for length in data.shape)  # NaN if unknown
    if hasattr(type(data), "__array__"):
        return False
    return isinstance(nw.from_native(data, pass_through=True), nw.LazyFrame)
