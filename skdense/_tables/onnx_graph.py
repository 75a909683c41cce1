"""The encoder as operators of ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .categories import TEXTS, Category
from .encoder import TableEncoder

# Version of its operator set that has texts to numbers, and that skl2onnx knows.
_LABEL_ENCODER = 2

Node = Any
Array = NDArray[Any]


def table_graph(ops: Any, encoder: TableEncoder, columns: Sequence[Node]) -> Node:
    """Return the matrix of `TableEncoder.encode`.

    Parameters
    ----------
    ops : Operators
    encoder : TableEncoder
    columns : sequence of Node
        Of each column its values, (rows, 1): numbers, NaN where they are missing; texts, which
        are missing where they are empty; of booleans either booleans or numbers.
    """
    categories = {own.column: own for own in encoder.categories}
    plain, codes = [], []
    for number, column in enumerate(columns):
        category = categories.get(number)
        if category is None:
            plain += _numbers(ops, column, encoder.fills[number], encoder.has_gaps[number])
            continue
        code = _code(ops, column, category)
        if category.n_codes == 2:
            sign = ops.Sub(ops.Mul(code, 2), 1)
            plain.append(ops.Where(ops.Less(code, 0), category.mean, sign))
        else:
            codes.append(code)
    parts = [*plain, *codes]
    return ops.Concat(*parts, axis=1) if len(parts) > 1 else parts[0]


def _numbers(ops: Any, column: Node, fill: float, has_gaps: bool) -> list[Node]:
    numbers = ops.cast(column)
    is_missing = ops.IsNaN(numbers)
    filled = [ops.Where(is_missing, float(fill), numbers)]
    return [*filled, ops.Where(is_missing, 1, 0)] if has_gaps else filled


def _code(ops: Any, column: Node, category: Category) -> Node:
    codes = np.arange(len(category.values), dtype=np.float32)
    if category.kind == TEXTS:
        keys = [*map(str, category.values), ""]
        numbers = [*codes.tolist(), float(category.missing_code)]
        encoded = ops.LabelEncoder(
            column,
            keys_strings=keys,
            values_floats=numbers,
            default_float=float(category.other_code),
            op_version=_LABEL_ENCODER,
        )
        return ops.cast(encoded)
    if category.needs_integers:
        return _code_of_integers(ops, column, category)
    numbers = ops.cast(column)
    if not len(codes):
        return ops.Where(ops.IsNaN(numbers), category.missing_code, category.other_code)
    found = _place(ops, ops.Equal(numbers, category.values.astype(ops.dtype)[np.newaxis]), codes)
    other = ops.Where(ops.IsNaN(numbers), category.missing_code, category.other_code)
    return ops.Where(ops.Less(found, 0), other, found)


def _code_of_integers(ops: Any, column: Node, category: Category) -> Node:
    """Return codes of whole numbers that float32 does not tell apart; none is missing."""
    try:
        values = category.values.astype(np.int64)[np.newaxis]
    except OverflowError as error:
        raise ValueError(
            f"Categories of column {category.column} must be integers that int64 holds, for ONNX. "
            f"Got up to {max(category.values)}. Make strings of them before fit."
        ) from error
    codes = np.arange(len(category.values), dtype=np.float32)
    found = _place(ops, ops.Equal(column, values), codes)
    return ops.Where(ops.Less(found, 0), category.other_code, found)


def _place(ops: Any, is_own: Node, codes: Array) -> Node:
    """Return which of the codes a row is of, -1 for none."""
    one_more = ops.Mul(ops.Where(is_own, 1, 0), (codes + 1).astype(ops.dtype)[np.newaxis])
    return ops.Sub(ops.ReduceMax(one_more, np.array([1]), keepdims=1), 1)
