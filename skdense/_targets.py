"""Kinds of target: how labels become numbers for a network, and its outputs answers again.

A target is frozen data, made from y and the parameters, and kept by the fitted estimator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.preprocessing import StandardScaler

from ._keras_objects import Activation, KerasObject, loss_name
from ._network import Weights

Array = NDArray[Any]

# Losses for which learning (y - mean) / std is the same problem in other units.
_SCALE_FREE_LOSSES = {"mean_squared_error", "mean_absolute_error", "huber", "log_cosh"}
_SPARSE_LOSSES = {"sparse_categorical_crossentropy"}
_CLASSWISE_LOSSES = {
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "kl_divergence",
}
_BINARY_CROSSENTROPIES = {"binary_crossentropy", "binary_focal_crossentropy"}
_HINGE_LOSSES = {"hinge", "squared_hinge", "categorical_hinge"}


# --- classification ----------------------------------------------------------------------


@dataclass(frozen=True)
class ClassTarget:
    """Classes as the targets of a network with `n_units` outputs.

    Attributes
    ----------
    n_classes : int
    n_units : int
        1 for two classes seen by one unit, otherwise one per class.
    activation : Activation
        The output's.
    loss : Keras name, KerasObject or callable
    """

    n_classes: int
    n_units: int
    activation: Activation
    loss: Any

    def encode(self, codes: NDArray[np.intp]) -> Array:
        """Turn class indices, (n_samples,), into (n_samples, n_target_columns)."""
        if self.n_units == 1 or loss_name_of(self.loss) in _SPARSE_LOSSES:
            return codes[:, np.newaxis].astype(np.float32)
        return np.eye(self.n_classes, dtype=np.float32)[codes]

    def in_own_units(self, weights: Weights) -> Weights:
        """Return the weights as they are: classes have no units."""
        return weights

    @property
    def decides_on_logits(self) -> bool:
        """Whether decisions are taken before the output's activation."""
        return self.activation in ("softmax", "sigmoid") or self._outputs_are_logits

    @property
    def _outputs_are_logits(self) -> bool:
        return self.activation == "linear" and _from_logits(self.loss)

    @property
    def _outputs_are_margins(self) -> bool:
        return loss_name_of(self.loss) in _HINGE_LOSSES

    def decide(self, outputs: Array) -> Array:
        """Turn logits or other outputs into decision values.

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes)
            Two classes: positive where the second one is predicted.
        """
        if self.n_units == 1:
            threshold = 0.0 if self.decides_on_logits or self._outputs_are_margins else 0.5
            return outputs[:, 0] - outputs.dtype.type(threshold)
        return outputs[:, 1] - outputs[:, 0] if self.n_classes == 2 else outputs

    def probabilities(self, outputs: Array) -> Array:
        """Turn outputs after the activation into probabilities, (n_samples, n_classes).

        Outputs that are no distribution, such as one sigmoid for each class, are cut at 0
        and divided by their sum.
        """
        if self.n_units == 1:
            second = self._probability(outputs[:, 0])
            return np.column_stack([1 - second, second])
        if self.activation == "softmax":
            return outputs
        if self._outputs_are_logits:
            return softmax(outputs, axis=1)
        scores = self._probability(outputs)
        total = scores.sum(axis=1, keepdims=True)
        uniform = np.full_like(scores, 1 / self.n_classes)
        return np.divide(scores, total, out=uniform, where=total > 0)

    def _probability(self, outputs: Array) -> Array:
        if self._outputs_are_logits:
            return expit(outputs)
        scores = (outputs + 1) / 2 if self._outputs_are_margins else outputs
        return np.clip(scores, 0, 1 if self.n_units == 1 else None)


def class_target(n_classes: int, output_activation: Activation, loss: Any) -> ClassTarget:
    """Decide units, activation and loss for classification; "auto" is settled here.

    Raises
    ------
    ValueError
        If the loss and the activation cannot go together.
    """
    one_unit = n_classes == 2 and output_activation != "softmax" and not _wants_all_classes(loss)
    if output_activation == "auto":
        output_activation = _automatic_activation(one_unit, loss)
    if loss == "auto":
        loss = _cross_entropy(one_unit, output_activation)
    return ClassTarget(n_classes, 1 if one_unit else n_classes, output_activation, loss)


def _wants_all_classes(loss: Any) -> bool:
    return loss_name_of(loss) in _SPARSE_LOSSES | _CLASSWISE_LOSSES


def _automatic_activation(one_unit: bool, loss: Any) -> str:
    if _from_logits(loss) or loss_name_of(loss) in _HINGE_LOSSES:
        return "linear"
    if one_unit or loss_name_of(loss) in _BINARY_CROSSENTROPIES:
        return "sigmoid"
    return "softmax"


def _cross_entropy(one_unit: bool, activation: Activation) -> Any:
    if activation == "softmax":
        return "sparse_categorical_crossentropy"
    if activation == "sigmoid":
        return "binary_crossentropy"
    if activation == "linear":
        kind = "BinaryCrossentropy" if one_unit else "SparseCategoricalCrossentropy"
        return KerasObject.from_serialized(
            {"module": "keras.losses", "class_name": kind, "config": {"from_logits": True}}
        )
    raise ValueError(
        "loss='auto' needs output_activation 'auto', 'softmax', 'sigmoid' or 'linear' (logits) "
        f"in classification. Got {activation!r}. Name the loss that goes with it."
    )


def loss_name_of(loss: Any) -> str | None:
    """Return Keras' function name of a built-in loss; None for a user's own."""
    if isinstance(loss, KerasObject):
        return None if loss.user_class else loss_name(loss.class_name)
    return loss_name(loss)


def _from_logits(loss: Any) -> bool:
    return isinstance(loss, KerasObject) and bool(loss.arguments.get("from_logits"))


# --- regression --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class RegressionTarget:
    """Numbers as targets, learned as (y - mean) / scale.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_outputs,), float64
        0 and 1 where the target is learned as it is.
    is_1d : bool
        Whether y was 1-D, as predictions then are.
    activation : Activation
        The output's.
    loss : Keras name, KerasObject or callable
    """

    mean: Array
    scale: Array
    is_1d: bool
    activation: Activation
    loss: Any

    @property
    def n_units(self) -> int:
        return len(self.mean)

    @property
    def is_standardized(self) -> bool:
        return bool(self.mean.any() or (self.scale != 1).any())

    def encode(self, y: Array) -> Array:
        """Turn y, (n_samples,) or (n_samples, n_outputs), into (n_samples, n_outputs)."""
        return (y.reshape(len(y), -1) - self.mean) / self.scale

    def decode(self, outputs: Array) -> Array:
        """Turn the network's outputs into predictions, in their dtype."""
        if self.is_standardized:
            outputs = (outputs * self.scale + self.mean).astype(outputs.dtype)
        return outputs[:, 0] if self.is_1d else outputs

    def in_own_units(self, weights: Weights) -> Weights:
        """Fold mean and scale into the last dense layer, whose arrays become float64."""
        if not self.is_standardized:
            return weights
        kernel = weights[-1]["kernel"] * self.scale
        bias = weights[-1]["bias"] * self.scale + self.mean
        return (*weights[:-1], {"kernel": kernel, "bias": bias})


def regression_target(
    y: Array,
    sample_weight: Array | None,
    output_activation: Activation,
    loss: Any,
    standardize: bool,
) -> RegressionTarget:
    """Decide activation, loss and standardisation for regression; "auto" is settled here."""
    if loss == "auto":
        loss = "mean_squared_error"
    if output_activation == "auto":
        # Poisson's target is a rate: Keras' loss wants it itself, not its logarithm.
        output_activation = "exponential" if loss_name_of(loss) == "poisson" else "linear"
    n_outputs = 1 if y.ndim == 1 else y.shape[1]
    plain = RegressionTarget(
        np.zeros(n_outputs), np.ones(n_outputs), y.ndim == 1, output_activation, loss
    )
    if not standardize or output_activation != "linear":
        return plain
    if loss_name_of(loss) not in _SCALE_FREE_LOSSES:
        return plain
    scaler = StandardScaler().fit(y.reshape(len(y), -1).astype(np.float64), None, sample_weight)
    return replace(plain, mean=scaler.mean_, scale=scaler.scale_)


Target = ClassTarget | RegressionTarget
