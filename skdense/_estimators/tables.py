"""What estimators that take tables have besides."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils import Tags

from .._problem.tables import read_rows_to_predict
from .._tables.descriptions import name_encoded_columns
from .argument_hints import with_argument_hints
from .base import KerasDenseBase


class TakesTables(KerasDenseBase):
    """A dense network behind an encoder of tables."""

    categorical_features: Any
    min_frequency: Any
    max_categories: Any

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
            these the codes of other categories. An unknown category is as the infrequent one. If
            there is none, it is the mean of the training rows between -1 and 1, and the code -1,
            of which the network makes the mean of the others.
        """
        now = self._snapshot()
        matrix: NDArray[np.floating] = read_rows_to_predict(now, X, now._fitted.table)
        return matrix

    @with_argument_hints
    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns that `encode` returns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of X; None for `feature_names_in_`, or "x0", "x1", ... of an
            array.

        Returns
        -------
        ndarray of str objects, of shape (n_columns,)
            Of a numeric column its name, and "missingindicator_name" for whether it was missing;
            of a column of two categories "name_category" for the one that is 1; of the codes of
            other categories the column's name.
        """
        now = self._snapshot()
        names: Any = OneToOneFeatureMixin.get_feature_names_out(now, input_features)
        table = now._fitted.table
        return np.array(names if table is None else name_encoded_columns(table, names), object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        tags.input_tags.sparse = False
        return tags
