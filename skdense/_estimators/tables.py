"""What estimators that take tables have besides."""

from __future__ import annotations

from typing import Any

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
