"""Class labels as codes and back: one class for each row, or several labels of 0 and 1."""

from __future__ import annotations

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
        check_classification_targets(y)
        if y.ndim == 1:
            return cls(np.unique(y), is_multilabel=False)
        if type_of_target(y, input_name="y") == "multiclass-multioutput":
            raise ValueError(
                "y must hold one class for each row, or labels of 0 and 1 in an indicator matrix. "
                f"Got {y.shape[1]} columns of several classes (multiclass-multioutput). Wrap the "
                "estimator in sklearn.multioutput.MultiOutputClassifier."
            )
        return cls(np.arange(y.shape[1]), is_multilabel=True)

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
                    f"columns. Got shape {y.shape} with values {_shown(np.unique(y))}."
                )
            return y.astype(np.intp)
        if y.ndim != 1:
            raise ValueError(f"{name} must hold one class for each row. Got shape {y.shape}.")
        try:
            unknown = np.setdiff1d(y, self.values)
        except TypeError as error:  # of values that do not compare
            raise ValueError(
                f"{name} must hold only classes seen before, {_shown(self.values)}. Got values of "
                f"other kinds: {error}"
            ) from error
        if len(unknown):
            raise ValueError(
                f"{name} must hold only classes seen before, {_shown(self.values)}. "
                f"Got {_shown(unknown)} too."
            )
        return np.searchsorted(self.values, y)

    def decode(self, codes: Array) -> Array:
        """Return the labels that `encode` makes these codes from."""
        return codes if self.is_multilabel else self.values[codes]


def _shown(values: Array) -> str:
    shown = ", ".join(map(repr, values[:_LABELS_SHOWN].tolist()))
    return f"[{shown}{', ...' if len(values) > _LABELS_SHOWN else ''}]"


def is_table(y: Any) -> bool:
    """Say whether y has several columns; one column counts as a list of classes."""
    return _n_columns(y) > 1


def _n_columns(y: Any) -> int:
    shape = y.shape if hasattr(y, "shape") else np.asarray(y, dtype=object).shape
    return shape[1] if len(shape) == 2 else 1


def labels_of_stream(classes: Any, y: Any, known: Labels | None) -> Labels:
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
    if known is not None:
        if classes is not None and not np.array_equal(np.unique(classes), known.values):
            raise ValueError(
                f"classes must be those of the first call, {_shown(known.values)}. "
                f"Got {_shown(np.unique(classes))}."
            )
        return known
    if is_table(y):
        n_labels = _n_columns(y)
        if classes is None or np.array_equal(np.unique(classes), np.arange(n_labels)):
            return Labels(np.arange(n_labels), is_multilabel=True)
        raise ValueError(
            f"classes must be None or the numbers of the {n_labels} columns of an indicator "
            f"matrix. Got {_shown(np.unique(classes))}."
        )
    if classes is None:
        raise ValueError(
            "The first call of partial_fit needs all classes that are ever to come, since a chunk "
            "need not hold them all. Got classes=None. Pass classes=np.unique(all_y)."
        )
    values = np.unique(classes)
    if len(values) < 2:
        raise ValueError(f"classes must hold at least 2 labels. Got {_shown(values)}.")
    return Labels(values, is_multilabel=False)


def require_all_classes(labels: Labels, codes: Array, *, is_new: bool) -> None:
    """Raise ValueError if rows to train on have one class, or lack some that a network knows.

    Parameters
    ----------
    labels : Labels
    codes : ndarray
    is_new : bool
        Whether the labels come from these rows.
    """
    if labels.is_multilabel:
        return
    present = labels.values[np.unique(codes)]
    if is_new and len(present) < 2:
        raise ValueError(
            "KerasDenseClassifier needs rows of at least 2 classes, with positive weight. Got "
            f"one class: {present.tolist()[0]!r}."
        )
    if not is_new and len(present) < len(labels.values):
        raise ValueError(
            f"warm_start goes on with the classes of the last fit, {_shown(labels.values)}. Got "
            f"only {_shown(present)}. Use partial_fit for chunks of the data."
        )
