"""The methods of `KerasTabular*`, whose docstrings speak of tables."""

from __future__ import annotations

from typing import Any, Self

from numpy.typing import NDArray

from .argument_hints import with_argument_hints
from .classifier import KerasDenseClassifier
from .number_predictions import has_quantiles
from .regressor import KerasDenseRegressor
from .sklearn_bases import available_if
from .tables import TakesTables

Array = NDArray[Any]


class TabularClassifierMethods(TakesTables, KerasDenseClassifier):
    """The methods of a classifier, documented for tables."""

    @with_argument_hints
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch on a chunk of a table.

        The first call on an unfitted estimator fixes the columns, their medians and categories,
        the batch size, the dtype, and the unit of sample weights for all later calls. A fitted
        estimator continues exactly from where it is, unless early stopping restored an earlier
        epoch: then the optimizer starts afresh. `learning_rate_schedule`, `early_stopping`,
        `validation_fraction` and `calibration` need all rows, and have no effect here.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Numeric and categorical features, missing values included, with the columns of the
            first chunk.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or an indicator matrix of 0 and 1.
        classes : array-like of shape (n_classes,) or None, default=None
            All classes that will ever occur. Required in the first call, unless y is an indicator
            matrix.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows, relative to each other.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For unusable data or parameters. The estimator is then unchanged.
        """
        return super().partial_fit(X, y, classes, sample_weight)

    @with_argument_hints
    def predict(self, X: Any) -> Array:
        """Predict the class of each row of a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Columns as in `fit`, found by name in a frame. Missing values and unknown categories
            are allowed in any column.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels out of ``classes_``, or an indicator matrix as in `fit`.
        """
        return super().predict(X)

    @with_argument_hints
    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of each class, the mean over the `n_estimators` networks.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Columns as in `fit`, found by name in a frame. Missing values and unknown categories
            are allowed in any column.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            In the order of ``classes_``. Rows sum to 1, except for an indicator matrix, where each
            label has its own probability. In float64, or float32 if all columns are float32.
        """
        return super().predict_proba(X)

    @with_argument_hints
    def predict_log_proba(self, X: Any) -> Array:
        """Predict the logarithm of each class's probability.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Columns as in `fit`, found by name in a frame. Missing values and unknown categories
            are allowed in any column.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            In the order of ``classes_``. With the default output and loss finite even where the
            probability itself is rounded to 0.
        """
        return super().predict_log_proba(X)

    @with_argument_hints
    def decision_function(self, X: Any) -> Array:
        """Return the scores that decide on a class: logits, with the default output and loss.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Columns as in `fit`, found by name in a frame. Missing values and unknown categories
            are allowed in any column.

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes) or \
                (n_samples, n_labels)
            For two classes the logarithm of the ratio of their probabilities, positive where
            ``classes_[1]`` is predicted. For three or more classes the class of the greatest
            score is predicted; for an indicator matrix each label of a positive score.
        """
        return super().decision_function(X)

    @classmethod
    @with_argument_hints
    def from_keras(cls, model: Any, *, classes: Any = None, multi_label: bool = False) -> Self:
        """Make a fitted classifier of a trained Keras model, which takes a matrix of numbers.

        A Keras model knows no columns of a table: what this returns predicts for complete numeric
        rows, as a `KerasDenseClassifier` does. Use `fit` for tables.

        Parameters
        ----------
        model : keras.Sequential
            As `KerasDenseClassifier.from_keras` takes it.
        classes : array-like of shape (n_classes,) or None, default=None
            Labels in the order of the outputs; a single output is for the second one. None
            numbers them.
        multi_label : bool, default=False
            Whether each output is for a label of its own, of which a row may have several.

        Returns
        -------
        KerasTabularClassifier
            With the parameters that describe the model, and an empty `history_`.

        Raises
        ------
        TypeError, ValueError
            If the model is no dense network that this estimator could have trained.
        """
        return super().from_keras(model, classes=classes, multi_label=multi_label)


class TabularRegressorMethods(TakesTables, KerasDenseRegressor):
    """The methods of a regressor, documented for tables."""

    @with_argument_hints
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on a chunk of a table.

        The first call on an unfitted estimator fixes the columns, their medians and categories,
        mean and scale of the target, the batch size, the dtype, and the unit of sample weights for
        all later calls. A fitted estimator continues exactly from where it is, unless early
        stopping restored an earlier epoch: then the optimizer starts afresh.
        `learning_rate_schedule`, `early_stopping` and `validation_fraction` need all rows, and
        have no effect here.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Numeric and categorical features, missing values included, with the columns of the
            first chunk.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numeric targets.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows, relative to each other.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For unusable data or parameters. The estimator is then unchanged.
        """
        return super().partial_fit(X, y, sample_weight)

    @with_argument_hints
    def predict(self, X: Any) -> Array:
        """Predict the target of each row of a table, the mean over the `n_estimators` networks.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Columns as in `fit`, found by name in a frame. Missing values and unknown categories
            are allowed in any column.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Like the y of `fit`. With `quantiles` the one nearest to the median, of two as near
            their mean.
        """
        return super().predict(X)

    @available_if(has_quantiles)
    @with_argument_hints
    def predict_quantiles(self, X: Any) -> Array:
        """Predict the quantiles of each row of a table, of a regressor with `quantiles`.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Columns as in `fit`, found by name in a frame. Missing values and unknown categories
            are allowed in any column.

        Returns
        -------
        ndarray of shape (n_samples, n_quantiles) or (n_samples, n_targets, n_quantiles)
            In the order of `quantiles`.
        """
        quantiles: Array = super().predict_quantiles(X)
        return quantiles

    @classmethod
    @with_argument_hints
    def from_keras(cls, model: Any) -> Self:
        """Make a fitted regressor of a trained Keras model, which takes a matrix of numbers.

        A Keras model knows no columns of a table: what this returns predicts for complete numeric
        rows, as a `KerasDenseRegressor` does. Use `fit` for tables.

        Parameters
        ----------
        model : keras.Sequential
            As `KerasDenseRegressor.from_keras` takes it.

        Returns
        -------
        KerasTabularRegressor
            With the parameters that describe the model, and an empty `history_`.

        Raises
        ------
        TypeError, ValueError
            If the model is no dense network that this estimator could have trained.
        """
        return super().from_keras(model)
