"""Class labels as codes and back: one class for each row, or several labels of 0 and 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MappingView, Set
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target

Array = NDArray[Any]

_LABELS_SHOWN = 10


@dataclass(frozen=True, eq=False)
class Labels:
    """What a classifier tells apart.

    Attributes
    ----------
    values : ndarray of shape (n_classes,)
        The classes, sorted; of an indicator matrix the numbers of its columns.
    is_multilabel : bool
        Whether y is an indicator matrix, in which a row may have several labels or none.
    """

    values: Array
    is_multilabel: bool

    @classmethod
    def of(cls, y: Array) -> Self:
        """Read the labels off y, of shape (n_samples,) or (n_samples, n_labels).

        Raises
        ------
        ValueError
            For numbers that are no classes, or several outputs of several classes.
        """
        values = find_distinct(y, "y") if y.ndim == 1 else np.arange(y.shape[1])
        check_classification_targets(y)
        if y.ndim == 2 and type_of_target(y, input_name="y") == "multiclass-multioutput":
            raise ValueError(
                "y must hold one class for each row, or labels of 0 and 1 in an indicator matrix. "
                f"Got {y.shape[1]} columns of several classes (multiclass-multioutput). Wrap the "
                "estimator in sklearn.multioutput.MultiOutputClassifier."
            )
        return cls(values, is_multilabel=y.ndim == 2)

    def encode(self, y: Array, name: str = "y") -> Array:
        """Return class numbers, (n_samples,), or the indicator matrix as numbers.

        Raises
        ------
        ValueError
            If `y` holds other labels than these.
        """
        if self.is_multilabel:
            if y.ndim != 2 or y.shape[1] != len(self.values) or not np.isin(y, (0, 1)).all():
                raise ValueError(
                    f"{name} must be an indicator matrix of 0 and 1 with {len(self.values)} "
                    f"columns. Got shape {y.shape} with values {show_labels(np.unique(y))}."
                )
            return y.astype(np.intp)
        if y.ndim != 1:
            raise ValueError(f"{name} must hold one class for each row. Got shape {y.shape}.")
        try:
            unknown = np.setdiff1d(y, self.values)
        except TypeError as error:  # of values that do not compare
            raise ValueError(
                f"{name} must hold only classes seen before, {show_labels(self.values)}. Got "
                f"values of other kinds: {error}"
            ) from error
        if len(unknown):
            raise ValueError(
                f"{name} must hold only classes seen before, {show_labels(self.values)}. "
                f"Got {show_labels(unknown)} too."
            )
        return np.searchsorted(self.values, y)

    def decode(self, codes: Array) -> Array:
        """Return the labels that `encode` makes these codes from."""
        return codes if self.is_multilabel else self.values[codes]


def find_distinct(labels: Any, name: str) -> Array:
    """Return the labels that a sequence holds, sorted.

    Raises
    ------
    ValueError
        If it is no sequence, or holds what is missing, no label, or of kinds that do not compare.
    """
    if isinstance(labels, str | bytes | Set | Mapping | MappingView | Iterator):
        raise ValueError(
            f"{name} must be an array of labels in one dimension. Got {type(labels).__name__}. "
            f"Pass {name}=np.unique(all_y)."
        )
    # A list as objects: NumPy makes texts of numbers, and of NaN, that stand beside texts.
    is_list = not hasattr(labels, "dtype")
    array = np.asarray(labels, dtype=object if is_list else None)
    if array.ndim != 1:
        raise ValueError(f"{name} must be an array in one dimension. Got shape {array.shape}.")
    is_missing = _is_missing(array)
    if is_missing.any():
        raise ValueError(
            f"{name} must hold labels only. Got {int(is_missing.sum())} missing value(s), such as "
            f"{array[is_missing][0]!r}. Drop such rows, or give them a label of their own."
        )
    try:
        values = np.unique(array)
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in array.tolist()})
        raise ValueError(
            f"{name} must hold labels of one kind, which compare. Got {', '.join(kinds)}: {error}. "
            f"Convert them all to text."
        ) from error
    if is_list:
        values = np.unique(np.asarray(labels))
    # Each twice, since scikit-learn warns of many that hardly repeat.
    check_classification_targets(np.repeat(values, 2))
    return values


def _is_missing(array: Array) -> Array:
    if array.dtype != object:
        is_missing: Array = array != array  # NaN and NaT, which equal nothing
        return is_missing
    from pandas import isna  # knows every kind that an array of objects may hold

    return isna(array)


def show_labels(values: Array) -> str:
    """Return the first values, for a message."""
    first = ", ".join(map(repr, values[:_LABELS_SHOWN].tolist()))
    return f"[{first}{', ...' if len(values) > _LABELS_SHOWN else ''}]"


def is_table(y: Any) -> bool:
    """Say whether y has several columns; one column counts as a list of classes."""
    return _n_columns(y) > 1


def _n_columns(y: Any) -> int:
    shape = y.shape if hasattr(y, "shape") else np.asarray(y, dtype=object).shape
    return shape[1] if len(shape) == 2 else 1


def require_labels_of_stream(classes: Any, y: Any, known: Labels | None) -> Labels:
    """Return all labels of a stream, which its chunks need not all hold.

    Parameters
    ----------
    classes : array-like of shape (n_classes,) or None
        As given to a call of ``partial_fit``.
    y : array-like
        Of that call.
    known : Labels or None
        Of earlier calls.

    Raises
    ------
    ValueError
        If the first call lacks `classes`, or a later one brings others.
    """
    given = None if classes is None else find_distinct(classes, "classes")
    if known is not None:
        if given is not None and not np.array_equal(given, known.values):
            raise ValueError(
                f"classes must be those of the first call, {show_labels(known.values)}. "
                f"Got {show_labels(given)}."
            )
        return known
    if is_table(y):
        n_labels = _n_columns(y)
        if given is None or np.array_equal(given, np.arange(n_labels)):
            return Labels(np.arange(n_labels), is_multilabel=True)
        raise ValueError(
            f"classes must be None or the numbers of the {n_labels} columns of an indicator "
            f"matrix. Got {show_labels(given)}."
        )
    if given is None:
        raise ValueError(
            "The first call of partial_fit needs all classes that are ever to come, since a chunk "
            "need not hold them all. Got classes=None. Pass classes=np.unique(all_y)."
        )
    if len(given) < 2:
        raise ValueError(f"classes must hold at least 2 labels. Got {show_labels(given)}.")
    return Labels(given, is_multilabel=False)


def require_all_classes(labels: Labels, codes: Array, owner: str, *, is_new: bool) -> None:
    """Raise ValueError if rows to train on have one class, or lack some that a network knows.

    Parameters
    ----------
    labels : Labels
    codes : ndarray
    owner : str
        Name of the estimator's class, for messages.
    is_new : bool
        Whether the labels come from these rows.
    """
    if labels.is_multilabel:
        return
    present = labels.values[np.unique(codes)]
    if is_new and len(present) < 2:
        raise ValueError(
            f"{owner} needs rows of at least 2 classes, with positive weight. Got one class: "
            f"{present.tolist()[0]!r}."
        )
    if not is_new and len(present) < len(labels.values):
        raise ValueError(
            f"warm_start goes on with the classes of the last fit, {show_labels(labels.values)}. "
            f"Got only {show_labels(present)}. Use partial_fit for chunks of the data."
        )
