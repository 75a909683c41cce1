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

# What onnxruntime makes of None and NaN, and of what pandas has for a missing value, in strings.
_MISSING_SPELLINGS = "None", "nan", "NaN", "<NA>", "NaT"
# NumPy's and pandas' own mark of a missing value in int64.
_MISSING_INTEGER = np.iinfo(np.int64).min

Node = Any
Array = NDArray[Any]


def table_graph(ops: Any, encoder: TableEncoder, columns: Sequence[Node]) -> Node:
    """Return the matrix of `TableEncoder.encode`.

    Parameters
    ----------
    ops : Operators
        Of float64, which holds the numbers of every column.
    encoder : TableEncoder
    columns : sequence of Node
        Of each column its values, (rows, 1): numbers, NaN where they are missing; texts, which
        are missing where `missing_strings` has them; of booleans either booleans or numbers.
    """
    categories = {own.column: own for own in encoder.categories}
    plain, codes = [], []
    for number, column in enumerate(columns):
        category = categories.get(number)
        if category is None:
            plain += _numbers(ops, column, encoder.fills[number], encoder.has_gaps[number])
            continue
        code = _code(ops, column, category)
        if category.needs_integers and _MISSING_INTEGER not in category.values:
            is_missing = ops.Equal(column, np.array([_MISSING_INTEGER]))
            code = ops.Where(is_missing, category.missing_code, code)
        if category.n_codes == 2:
            sign = ops.Sub(ops.Mul(code, 2), 1)
            plain.append(ops.Where(ops.Less(code, 0), category.mean, sign))
        else:
            codes.append(code)
    parts = [*plain, *codes]
    return ops.Concat(*parts, axis=1) if len(parts) > 1 else parts[0]


def missing_strings(category: Category) -> list[str]:
    """Return the strings that are a missing value to the model in ONNX."""
    return ["", *(spelling for spelling in _MISSING_SPELLINGS if spelling not in category.values)]


def ambiguous_strings(category: Category) -> list[str]:
    """Return the categories that onnxruntime makes of a missing value, too."""
    return [spelling for spelling in _MISSING_SPELLINGS if spelling in category.values]


def describe_input(encoder: TableEncoder, index: int) -> str:
    """Return what a missing value is in the input of a column."""
    category = next((own for own in encoder.categories if own.column == index), None)
    if category is None or category.kind != TEXTS:
        if category is not None and category.needs_integers:
            return f"A missing value is {_MISSING_INTEGER}."
        return "A missing value is NaN; where the input is of integers, it has none."
    others = [repr(spelling) for spelling in missing_strings(category)[1:]]
    also = (
        f", and so are {', '.join(others)}, as onnxruntime makes of None and NaN" if others else ""
    )
    return f"A missing value is the empty string{also}."


def _numbers(ops: Any, column: Node, fill: float, has_gaps: bool) -> list[Node]:
    numbers = ops.cast(column)
    is_missing = ops.IsNaN(numbers)
    filled = [ops.Where(is_missing, float(fill), numbers)]
    return [*filled, ops.Where(is_missing, 1, 0)] if has_gaps else filled


def _code(ops: Any, column: Node, category: Category) -> Node:
    codes = np.arange(len(category.values), dtype=np.float32)
    if category.kind == TEXTS:
        missing = missing_strings(category)
        keys = [*map(str, category.values), *missing]
        numbers = [*codes.tolist(), *[float(category.missing_code)] * len(missing)]
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
    numbers = _plain(ops, ops.cast(column))
    if not len(codes):
        return ops.Where(ops.IsNaN(numbers), category.missing_code, category.other_code)
    found = _place(ops, ops.Equal(numbers, category.values.astype(ops.dtype)[np.newaxis]), codes)
    other = ops.Where(ops.IsNaN(numbers), category.missing_code, category.other_code)
    return ops.Where(ops.Less(found, 0), other, found)


def _plain(ops: Any, numbers: Node) -> Node:
    """Return numbers as categories have them: fractions as they are in float32."""
    is_whole = ops.Equal(ops.Floor(numbers), numbers)
    return ops.Where(is_whole, numbers, ops.cast(ops.in_single.cast(numbers)))


def _code_of_integers(ops: Any, column: Node, category: Category) -> Node:
    """Return codes of whole numbers that float64 does not distinguish; none is missing."""
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
