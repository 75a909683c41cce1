"""How each contestant makes a matrix of a table, in a process of its own.

Only the standard library is imported here at the top, since the processes watch their memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SKDENSE, ORDINAL, FOREST = "skdense", "OrdinalEncoder", "HistGradientBoosting"
MIXED, MANY_TEXTS = "mixed", "many texts"
N_TEXTS = 100_000  # different ones in a column
_MOST_BINS = 200


def make_table(kind: str, n_rows: int) -> Any:
    """Draw six columns of numbers and eight of categories, or one of very many texts."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)

    def texts(count: int) -> Any:
        return np.array([f"value {number}" for number in range(count)], object)[
            rng.integers(count, size=n_rows)
        ]

    if kind == MANY_TEXTS:
        return pd.DataFrame({"number": rng.standard_normal(n_rows), "text": texts(N_TEXTS)})
    columns: dict[str, Any] = {f"number {n}": rng.standard_normal(n_rows) for n in range(6)}
    for name in ("number 0", "number 1"):
        columns[name][rng.random(n_rows) < 0.1] = np.nan
    columns |= {f"text {count}": texts(count) for count in (2, 5, 16, 40, 100)}
    columns |= {f"category {n}": pd.Categorical(texts(n)) for n in (7, _MOST_BINS)}
    columns["boolean"] = rng.random(n_rows) < 0.3
    return pd.DataFrame(columns)


def time_encoding(peer: str, kind: str, n_rows: int) -> dict[str, float]:
    """Learn a table's columns and make a matrix of it; memory is what that takes besides it."""
    from _memory import time_and_memory

    encode = _ENCODERS[peer]
    encode(make_table(kind, 1_000))  # imports, and starts threads
    table = make_table(kind, n_rows)
    return time_and_memory(lambda: encode(table))


def _encode_with_skdense(table: Any) -> None:
    from skdense._tables.encoder import find_categories, learn_table
    from skdense._tables.reading import read_table

    read = read_table(table, "X")
    is_category = find_categories(read, "from_dtype")
    encoder = learn_table(read, None, is_category, min_frequency=2, max_categories=10_000)
    encoder.encode(read, "float32")


def _encode_with_ordinal_encoder(table: Any) -> None:
    """Leave the numbers as they are, gaps too."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_selector(dtype_exclude="number")
    make_column_transformer((encoder, columns), remainder="passthrough").fit_transform(table)


def _bin_with_forest(table: Any) -> None:
    """Have a forest of one stump bin a table, whose texts it takes as categories of pandas."""
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingRegressor

    table = table.astype(dict.fromkeys(table.select_dtypes(exclude="number"), "category"))
    stump = HistGradientBoostingRegressor(max_iter=1, max_leaf_nodes=2, early_stopping=False)
    stump.fit(table, np.arange(len(table), dtype=float))


_ENCODERS: dict[str, Callable[[Any], None]] = {
    SKDENSE: _encode_with_skdense,
    ORDINAL: _encode_with_ordinal_encoder,
    FOREST: _bin_with_forest,
}
# A forest bins a column into at most 255 categories.
PEERS = {MIXED: (ORDINAL, FOREST), MANY_TEXTS: (ORDINAL,)}
