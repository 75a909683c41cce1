"""The inputs of an ONNX model: their names, and types by the dtypes of a sample."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from scipy.sparse import issparse

from .._tables.categories import BOOLEANS, GAPS, TEXTS
from .._tables.encoder import TableEncoder
from .._tables.reading import Column, read_table
from .fitted import Fitted


def input_types(X: Any, of_table: Fitted | None) -> list[tuple[str, Any]]:
    """Return name and type of each input.

    Parameters
    ----------
    X : ndarray, sparse array or DataFrame of shape (n_samples, n_features)
    of_table : Fitted or None
        Of an estimator that takes X as a table.
    """
    if of_table is not None:
        return _types_of_table(X, of_table)
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        array = np.asarray(X[:1].toarray() if issparse(X) else X)
        if array.ndim != 2:
            raise ValueError(
                f"X must be rows of features, (n_samples, n_features). Got shape {array.shape}."
            )
        return [("X", _tensor_type(array.dtype, array.shape[1], "X"))]
    columns = frame.iter_columns()
    return [(str(each.name), _tensor_type(each.dtype, 1, each.name)) for each in columns]


def _types_of_table(X: Any, fitted: Fitted) -> list[tuple[str, Any]]:
    """Return one input for each column of training: strings, or numbers of the dtype in X."""
    table = fitted.table
    assert table is not None
    columns = read_table(X[:1], "X").columns
    names = [str(column.name) for column in columns]
    known = names if fitted.feature_names is None else fitted.feature_names.tolist()
    if sorted(names) != sorted(known) or len(names) != table.n_columns:
        raise ValueError(
            f"X must have the {table.n_columns} columns of the training. Got {len(names)}: "
            f"{', '.join(names[:5])}."
        )
    by_name = dict(zip(names, columns, strict=True))
    return [
        (name, _type_of_column(by_name[name], table, number)([None, 1]))
        for number, name in enumerate(known)
    ]


def _type_of_column(column: Column, table: TableEncoder, number: int) -> Any:
    """Return the type of an input; integers of a column with missing values are floats."""
    from skl2onnx.common import data_types

    category = next((own for own in table.categories if own.column == number), None)
    kind = None if category is None else category.kind
    if kind == TEXTS:
        return data_types.StringTensorType
    if kind in (BOOLEANS, GAPS) or column.is_single:
        return data_types.FloatTensorType
    has_missing = table.has_gaps[number] if category is None else category.has_missing
    needs_integers = category is not None and category.needs_integers
    if needs_integers or (column.is_int64 and not has_missing):
        return data_types.Int64TensorType
    return data_types.DoubleTensorType


def _tensor_type(dtype: Any, n_columns: int, name: Any) -> Any:
    """Return the type of an input by the dtype of a column, of NumPy or of narwhals."""
    from skl2onnx.common import data_types

    is_single = str(dtype).lower() in ("float32", "float16")
    kinds = {
        "b": data_types.BooleanTensorType,
        "f": data_types.FloatTensorType if is_single else data_types.DoubleTensorType,
        "i": data_types.Int64TensorType,
        "O": data_types.StringTensorType,
    }
    kind = kinds.get(_kind_of(dtype))
    if kind is None:
        raise ValueError(f"X must hold numbers and text. Got {dtype} in {name!r}.")
    return kind([None, n_columns])


def _kind_of(dtype: Any) -> str:
    """Return NumPy's letter for the kind of a dtype, of NumPy or of narwhals; "" for others."""
    if isinstance(dtype, np.dtype):
        return {"u": "i", "U": "O"}.get(dtype.kind, dtype.kind)
    if dtype.is_float():
        return "f"
    if dtype.is_integer():
        return "i"
    if dtype == nw.Boolean:
        return "b"
    return "O" if dtype in (nw.String, nw.Categorical, nw.Enum, nw.Object) else ""


def has_doubles(types: list[tuple[str, Any]]) -> bool:
    """Say whether an input is in float64."""
    from skl2onnx.common.data_types import DoubleTensorType

    return any(isinstance(kind, DoubleTensorType) for _, kind in types)


def in_float32(types: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the types with float32 in place of float64."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return [
        (name, FloatTensorType(kind.shape) if isinstance(kind, DoubleTensorType) else kind)
        for name, kind in types
    ]


def is_runnable(converted: Any) -> bool:
    """Say whether onnxruntime has all operators of a model in its dtypes; False without it."""
    try:
        import onnxruntime
    except ImportError:
        return False
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # or it writes to stderr what it raises
    try:
        onnxruntime.InferenceSession(
            converted.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception:  # its exceptions have no public base
        return False
    return True
