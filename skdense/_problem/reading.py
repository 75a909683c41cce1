"""Data as it is given to `fit`, read into rows of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import is_classifier

from .._tables.encoder import TableEncoder
from .._tables.wide_integers import cast_wide_integers
from .class_weights import weigh, weigh_classes
from .collected import require_collected
from .data_checks import check_numbers, check_training_data, check_weights, require_no_dates
from .given import Given
from .infinite import name_infinite_columns
from .labels import Labels, is_table
from .rows import Rows, select_rows_with_weight
from .tables import make_reader_of_matrix, read_rows, takes_tables

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Data:
    """What was read of the data.

    Attributes
    ----------
    rows : Rows
        Those of positive weight.
    n_features : int
    feature_names : ndarray of shape (n_features,) or None
    labels : Labels or None
        Of a classifier.
    class_weights : ndarray or None
        See `weigh_classes`.
    table : TableEncoder or None
        What made the rows of a table.
    """

    rows: Rows
    n_features: int
    feature_names: Array | None
    labels: Labels | None
    class_weights: Array | None
    table: TableEncoder | None


class Reader:
    """Reads data for an estimator: first the rows to train on, then others like them.

    Parameters
    ----------
    estimator
        A copy, of the kind that reads and with its constructor parameters; scikit-learn sets the
        attributes on it that describe X.
    precision : {"float32", "float64"}
        What numbers of X become that are in neither of them.
    known : Labels or None
        The labels that y may have, where they are known before.
    table : TableEncoder or None
        What makes rows of a table, where it is known before.
    is_new : bool
        Whether the data tell the columns, or are held against what the estimator knows of them.
    """

    def __init__(
        self,
        estimator: Any,
        precision: str,
        known: Labels | None,
        table: TableEncoder | None,
        *,
        is_new: bool,
    ) -> None:
        self._estimator, self._precision, self._is_new = estimator, precision, is_new
        self._labels, self._table = known, table
        self._class_weights: Array | None = None

    def read(self, given: Given, *, least: int = 1) -> Data:
        """Read rows to train on, at least so many."""
        rows = self._rows(given, least)
        self._is_new = False
        return Data(
            rows=rows,
            n_features=self._estimator.n_features_in_,
            feature_names=getattr(self._estimator, "feature_names_in_", None),
            labels=self._labels,
            class_weights=self._class_weights,
            table=self._table,
        )

    def read_held_out(self, given: Given) -> Rows | None:
        """Read rows to watch, like those read before; None where there are none."""
        return None if given.X is None else self._rows(given, 1)

    def _rows(self, given: Given, least: int) -> Rows:
        require_collected(given.X, f"X{given.suffix}")
        require_collected(given.y, f"y{given.suffix}")
        require_collected(given.sample_weight, f"sample_weight{given.suffix}")
        read = self._of_classes if is_classifier(self._estimator) else self._of_numbers
        return read(given, least)

    def _of_classes(self, given: Given, least: int) -> Rows:
        X, y = self._checked(given, least, multi_output=is_table(given.y))
        if self._labels is None:
            self._labels = Labels.of(y)
        codes = self._labels.encode(y, f"y{given.suffix}")
        weights = check_weights(given.sample_weight, X, given.suffix)
        if not given.suffix:
            class_weight = self._estimator.class_weight
            self._class_weights = weigh_classes(class_weight, self._labels, codes, weights)
        weights = weigh(weights, codes, self._class_weights)
        return select_rows_with_weight(X, codes, weights, given.suffix)

    def _of_numbers(self, given: Given, least: int) -> Rows:
        name = f"y{given.suffix}"
        if issparse(given.y):
            raise TypeError(f"{name} must be a dense array. Got a sparse one; use y.toarray().")
        require_no_dates(given.y, name)
        X, y = self._checked(given, least, multi_output=True)
        y = check_numbers(y, name)
        weights = check_weights(given.sample_weight, X, given.suffix)
        return select_rows_with_weight(X, y, weights, given.suffix)

    def _checked(self, given: Given, least: int, *, multi_output: bool) -> tuple[Any, Array]:
        estimator, X, name = self._estimator, given.X, f"X{given.suffix}"
        if takes_tables(estimator) and (self._is_new or self._table) and not issparse(X):
            X, self._table = read_rows(
                estimator, given, self._table, self._precision, reset=self._is_new
            )
            estimator = make_reader_of_matrix(estimator, self._table)
        X = cast_wide_integers(X)
        with name_infinite_columns(X, name):
            return check_training_data(
                estimator,
                X,
                cast_wide_integers(given.y),
                self._precision,
                reset=self._is_new and estimator is self._estimator,
                suffix=given.suffix,
                multi_output=multi_output,
                ensure_min_samples=least,
            )
