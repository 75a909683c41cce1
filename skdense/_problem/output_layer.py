"""The end of a network: its output's activation and its loss, with "auto" settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._backend.keras_objects import (
    ActivationFunction,
    KerasObject,
    LossObject,
    cross_entropy_of_logits,
    loss_name,
)

SPARSE_LOSSES = {"sparse_categorical_crossentropy"}
_CLASSWISE_LOSSES = {
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "kl_divergence",
}
_BINARY_CROSSENTROPIES = {"binary_crossentropy", "binary_focal_crossentropy"}
_HINGE_LOSSES = {"hinge", "squared_hinge", "categorical_hinge"}
# Activations over all units of a row, so that one unit alone would be constant.
ROWWISE_ACTIVATIONS = {"softmax", "log_softmax", "sparsemax"}


@dataclass(frozen=True)
class Head:
    """An output's activation and its loss."""

    activation: ActivationFunction
    loss: Any


def sees_two_classes_by_one_unit(output_activation: ActivationFunction, loss: Any) -> bool:
    """Say whether activation and loss, which may be "auto", need but one unit for two classes."""
    needs_all = loss_name(loss) in SPARSE_LOSSES | _CLASSWISE_LOSSES
    return not needs_all and output_activation not in ROWWISE_ACTIVATIONS


def settle_classification_head(
    n_classes: int, output_activation: ActivationFunction, loss: Any
) -> Head:
    """Settle activation and loss for classification.

    Raises
    ------
    ValueError
        If no cross-entropy goes with the activation.
    """
    one_unit = n_classes == 2 and sees_two_classes_by_one_unit(output_activation, loss)
    if output_activation == "auto":
        output_activation = _choose_activation(one_unit, loss)
    if isinstance(loss, str) and loss == "auto":
        loss = _choose_cross_entropy(one_unit, output_activation)
    return Head(output_activation, loss)


def _choose_activation(one_unit: bool, loss: Any) -> str:
    if _from_logits(loss) or loss_name(loss) in _HINGE_LOSSES:
        return "linear"
    if one_unit or loss_name(loss) in _BINARY_CROSSENTROPIES:
        return "sigmoid"
    return "softmax"


def _choose_cross_entropy(one_unit: bool, activation: ActivationFunction) -> Any:
    if activation == "softmax":
        return "sparse_categorical_crossentropy"
    if activation == "sigmoid":
        return "binary_crossentropy"
    if activation == "linear":
        kind = "BinaryCrossentropy" if one_unit else "SparseCategoricalCrossentropy"
        return cross_entropy_of_logits(kind)
    shown = getattr(activation, "class_name", activation)
    raise ValueError(
        "loss='auto' needs output_activation 'auto', 'softmax', 'sigmoid' or 'linear' (logits) "
        f"in classification. Got {shown!r}. Name the loss that goes with it."
    )


def _from_logits(loss: Any) -> bool:
    return isinstance(loss, LossObject | KerasObject) and loss.from_logits


def settle_labels_head(output_activation: ActivationFunction, loss: Any) -> Head:
    """Settle activation and loss for several labels of 0 and 1.

    Raises
    ------
    ValueError
        If they are for one class per row.
    """
    if output_activation in ROWWISE_ACTIVATIONS or loss_name(loss) in (
        SPARSE_LOSSES | _CLASSWISE_LOSSES
    ):
        raise ValueError(
            "Labels of an indicator matrix need an output_activation and a loss for each label, "
            "such as 'sigmoid' and 'binary_crossentropy'. Got "
            f"output_activation={output_activation!r} and loss={loss!r}, which share one among "
            "all classes. Leave both at 'auto'."
        )
    if output_activation == "auto":
        output_activation = _choose_activation(True, loss)
    if isinstance(loss, str) and loss == "auto":
        loss = _choose_cross_entropy(True, output_activation)
    return Head(output_activation, loss)


def find_link(head: Head) -> str:
    """Return what the outputs of a classifier's head are; see `ClassTarget`."""
    if head.activation == "softmax":
        return "probabilities"
    if head.activation == "log_softmax":
        return "log-probabilities"
    if head.activation == "sigmoid":
        return "scores"  # of a hinge loss too: margins would all say yes
    if head.activation == "linear" and _from_logits(head.loss):
        return "logits" if loss_name(head.loss) not in _BINARY_CROSSENTROPIES else "binary logits"
    return "margins" if loss_name(head.loss) in _HINGE_LOSSES else "scores"


def settle_regression_head(output_activation: ActivationFunction, loss: Any) -> Head:
    """Settle activation and loss for regression."""
    if isinstance(loss, str) and loss == "auto":
        loss = "mean_squared_error"
    if output_activation == "auto":
        # Poisson's target is a rate: Keras' loss wants it itself, not its logarithm.
        output_activation = "exponential" if loss_name(loss) == "poisson" else "linear"
    return Head(output_activation, loss)
