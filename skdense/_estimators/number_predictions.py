"""What a regressor answers."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .._problem.targets.numbers import RegressionTarget
from .argument_hints import with_argument_hints
from .base import KerasDenseBase
from .sklearn_bases import available_if

Array = NDArray[Any]


def has_quantiles(regressor: Any) -> bool:
    """Raise AttributeError, as scikit-learn's do, for a regressor of something else."""
    levels = getattr(regressor, "quantiles", None)
    if regressor.__sklearn_is_fitted__():  # what it has learned counts
        levels = regressor._target.quantiles or None
    if levels is not None:
        return True
    raise AttributeError(
        "predict_quantiles needs a regressor that learned some. Got quantiles=None at fit. Set "
        "quantiles=(0.05, 0.5, 0.95), for example, and fit again."
    )


class NumberPredictions(KerasDenseBase):
    """The methods that predict numbers."""

    @property
    def _target(self) -> RegressionTarget:
        target = self._fitted.target
        assert isinstance(target, RegressionTarget)
        return target

    @with_argument_hints
    def predict(self, X: Any) -> Array:
        """Predict the target of each row.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Like the y of `fit`, in the dtype of X, or in float64 where float32 cannot hold y:
            where it rounds by more than a thousandth of y's standard deviation, or overflows.
            With `quantiles` the one nearest to the median, of two as near their mean.
        """
        now = self._snapshot()
        return now._target.decode(now._outputs(X))

    @available_if(has_quantiles)
    @with_argument_hints
    def predict_quantiles(self, X: Any) -> Array:
        """Predict the quantiles of each row, of a regressor with `quantiles`.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_quantiles) or (n_samples, n_targets, n_quantiles)
            In the order of `quantiles`, and in units and dtype as `predict`.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skdense import KerasDenseRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> regressor = KerasDenseRegressor(units=16, quantiles=(0.1, 0.5, 0.9), random_state=0)
        >>> low, _, high = regressor.fit(X, y).predict_quantiles(X).T
        >>> bool((low <= high).all())
        True
        """
        now = self._snapshot()
        return now._target.decode_quantiles(now._outputs(X))
