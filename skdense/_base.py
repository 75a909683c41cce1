"""What both estimators share: fit as a short story, the Keras view, scikit-learn's duties."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from types import SimpleNamespace
from typing import Any, ClassVar, Self

from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from ._keras_objects import Activation
from ._keras_view import build_compiled_model
from ._network import Network, Weights, forward
from ._parameters import check_constraints
from ._targets import Head, Target
from ._task import make_task, resolve_optimizer, resolve_output
from ._validation import (
    check_prediction_data,
    check_training_data,
    check_weights,
    drop_weightless,
    unchanged_on_error,
    warn_about_scale,
)
from .training import train

Array = NDArray[Any]


class KerasDenseBase(BaseEstimator, metaclass=ABCMeta):
    """Base of the dense networks; a subclass says what y is and what the outputs mean."""

    _network: Network
    _weights: Weights
    _target: Target
    _fit_parameters: dict[str, Any]  # as they were; set_params may change the estimator's
    history_: dict[str, list[float]]

    # Further arguments of scikit-learn's `validate_data` for this kind of y.
    _y_checks: ClassVar[dict[str, bool]] = {}

    @abstractmethod
    def _describe_target(self, y: Array) -> Array:
        """Validate y and set the attributes that describe it; return y as numbers."""

    @abstractmethod
    def _settle_head(self, output_activation: Activation, loss: Any) -> Head:
        """Return the output's activation and the loss, deciding where they are "auto"."""

    @abstractmethod
    def _make_target(self, y: Array, sample_weight: Array | None, head: Head) -> Target:
        """Return how these numbers become targets of the network."""

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> Self:
        with unchanged_on_error(self):
            parameters = self.get_params(deep=False)
            check_constraints(parameters, type(self).__name__)
            X, y = check_training_data(self, X, y, parameters["dtype"], **self._y_checks)
            weights = check_weights(sample_weight, X)
            y = self._describe_target(y)
            X, y, weights = drop_weightless(X, y, weights)
            head = self._settle_head(*resolve_output(self))
            target = self._make_target(y, weights, head)
            task = make_task(self, target, head, X, y, weights)
            warn_about_scale(X, getattr(self, "feature_names_in_", None))
            [result] = train([task])
            self._target, self._network, self._weights = target, task.network, result.weights
            self._fit_parameters = parameters
            self.n_outputs_ = task.network.n_outputs
            self.history_ = result.history
            self.n_iter_ = len(result.history["loss"])
            self.engine_ = result.engine
        return self

    def _outputs(self, X: Any, *, activate: bool = True) -> Array:
        check_is_fitted(self)
        X = check_prediction_data(self, X)
        return forward(self._network, self._weights, X, activate=activate)

    def to_keras(self) -> Any:
        """Return the trained network as a Keras model.

        Returns
        -------
        keras.Sequential
            Compiled with this estimator's optimizer and loss. A classifier's model gives the
            outputs that `predict_proba` is made from, a regressor's gives predictions in the
            target's own units. In float32 unless this estimator has ``dtype="float64"``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(self)
        fitted_with = SimpleNamespace(**self._fit_parameters)
        return build_compiled_model(
            self._network,
            self._weights_in_own_units(),
            optimizer=resolve_optimizer(fitted_with).keras,
            loss=self._settle_head(*resolve_output(fitted_with)).loss,
            # Not float64 by itself: Keras cannot train such layers under a penalty.
            dtype="float64" if fitted_with.dtype == "float64" else "float32",
            l1=float(fitted_with.l1),
            l2=float(fitted_with.l2),
        )

    def summary(self) -> None:
        """Print the layers and numbers of parameters, as Keras does."""
        self.to_keras().summary()

    def _weights_in_own_units(self) -> Weights:
        check_is_fitted(self)
        return self._target.in_own_units(self._weights)

    @property
    def coefs_(self) -> list[Array]:
        """Copy of the kernel of each dense layer, of shape (n_inputs, n_units)."""
        return [
            stage["kernel"].copy() for stage in self._weights_in_own_units() if "kernel" in stage
        ]

    @property
    def intercepts_(self) -> list[Array]:
        """Copy of the bias of each dense layer, of shape (n_units,)."""
        return [stage["bias"].copy() for stage in self._weights_in_own_units() if "bias" in stage]

    @property
    def loss_curve_(self) -> list[float]:
        """Training loss of each epoch."""
        check_is_fitted(self)
        return self.history_["loss"]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_weights")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
