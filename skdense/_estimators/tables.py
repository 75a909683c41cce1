"""What estimators that take tables have besides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils import Tags

from .._problem.tables import read_rows_to_predict
from .._tables.descriptions import name_encoded_columns
from .base import KerasDenseBase


class TakesTables(KerasDenseBase):
    """A dense network behind an encoder of tables."""

    categorical_features: Any
    min_frequency: Any
    max_categories: Any

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
