"""What estimators that take tables have besides."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags

from .._problem.tables import read_rows_to_predict
from .argument_hints import with_argument_hints
from .base import KerasDenseBase


class TakesTables(KerasDenseBase):
    """A dense network behind an encoder of tables."""

    categorical_features: Any

    @with_argument_hints
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        groups: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the networks on a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A frame of pandas, Polars or PyArrow, or an array. Numeric and categorical features as
            they are, missing values included; see `categorical_features`. Nothing has to be
            scaled, encoded or imputed.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numeric targets, of a regressor. Class labels, of a classifier: strings, integers or
            booleans; or an indicator matrix of 0 and 1, for rows that have several labels or none.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows, relative to each other.
        groups : array-like of shape (n_samples,) or None, default=None
            With ``validation_fraction="folds"``, rows of one group are in one fold.
        X_val : DataFrame or array-like of shape (n_val, n_features) or None, default=None
            Validation set, with the columns of X, in place of `validation_fraction`.
        y_val : array-like, default=None
            Targets of `X_val`.
        sample_weight_val : array-like of shape (n_val,) or None, default=None
            Weights of `X_val`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For unusable data or parameters, and as soon as the training loss is NaN or
            infinite. The estimator is then unchanged.

        Warns
        -----
        UserWarning
            If Ctrl-C ended the training, after at least one epoch; the estimator is then fitted.
            Inside a search, the interruption ends the search.
        """
        return super().fit(
            X,
            y,
            sample_weight,
            groups=groups,
            X_val=X_val,
            y_val=y_val,
            sample_weight_val=sample_weight_val,
        )

    @with_argument_hints
    def to_keras(self) -> Any:
        """Return the trained networks as one Keras model, of the matrix that `encode` returns.

        Returns
        -------
        keras.Model of the mean of the networks, or keras.Sequential of one
            Compiled with this estimator's optimizer and loss. A classifier's model gives the
            outputs that `predict_proba` is made from, a regressor's gives predictions on the
            scale of y. In float32 unless this estimator has ``dtype="float64"``, or float32
            cannot hold those numbers.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        return super().to_keras()

    @with_argument_hints
    def encode(self, X: Any) -> NDArray[np.floating]:
        """Return the matrix that rows become, which the model of `to_keras` takes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_columns)
            Numbers without gaps, whether they were missing, pairs of categories as -1 and 1; after
            these the codes of other categories, -1 for what training had nothing like.
        """
        now = self._snapshot()
        matrix: NDArray[np.floating] = read_rows_to_predict(now, X, now._fitted.table)
        return matrix

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        tags.input_tags.sparse = False
        return tags
