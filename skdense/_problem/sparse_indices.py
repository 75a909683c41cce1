"""Whether the parts of a sparse array fit together, which SciPy trusts they do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse


def require_sound_indices(data: Any, name: str) -> Any:
    """Return data; ValueError for a sparse array with indices out of range.

    SciPy's compiled code reads and writes wherever those point to. Formats that it converts in
    Python come back as CSR.
    """
    if not issparse(data) or data.ndim != 2:
        return data
    if data.format in ("lil", "dok"):
        data = data.tocsr()
    if not _is_sound(data):
        raise ValueError(
            f"{name} must be a sparse array whose indices lie within its shape, {data.shape}. Got "
            f"a {data.format} array with others. Build it anew, from rows, columns and values."
        )
    return data


def _is_sound(X: Any) -> bool:
    if X.format == "coo":
        has_all = len(X.row) == len(X.col) == len(X.data)
        return has_all and _within(X.row, X.shape[0]) and _within(X.col, X.shape[1])
    if X.format == "dia":
        return len(X.offsets) == len(X.data)
    height, width = X.blocksize if X.format == "bsr" else (1, 1)
    shape = X.shape[0] // height, X.shape[1] // width
    n_lines, length = reversed(shape) if X.format == "csc" else shape
    starts = X.indptr
    if len(starts) != n_lines + 1 or starts[0] != 0 or (starts[1:] < starts[:-1]).any():
        return False
    n_stored = starts[-1]
    has_all = n_stored <= min(len(X.indices), len(X.data))
    return has_all and _within(X.indices[:n_stored], length)


def _within(indices: NDArray[np.integer], length: int) -> bool:
    if indices.dtype.kind not in "iu":
        return False
    # Negative ones are the largest of all: one pass over them, in place of two.
    unsigned = indices.view(indices.dtype.str.replace("i", "u"))
    return not len(indices) or bool(unsigned.max() < length)
