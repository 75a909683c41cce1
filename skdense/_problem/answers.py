"""Outputs of a fit: of its network, or what the networks of an ensemble say together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from .._networks.forward import forward
from .._networks.network import Network
from .._networks.stages import Activation, SortedQuantiles
from .._training.losses import PinballLoss
from .fitted import Fitted
from .scored_fits import ScoredFit
from .targets.classes import ClassTarget
from .targets.numbers import RegressionTarget

Array = NDArray[Any]


def compute_outputs(fitted: Fitted, X: Any, *, activate: bool = True) -> Array:
    """Return outputs, (n_samples, n_units); of several networks those of their mean.

    The mean is of what they predict, of probabilities or of numbers, and comes in the form in
    which a single network answers: as logits, for example, of the mean of probabilities.

    Parameters
    ----------
    fitted : Fitted
    X : ndarray or sparse array of shape (n_samples, n_features), float32 or float64
    activate : bool, default=True
        Whether to apply the output's activation; else what goes into it is returned, of a
        network that decides on logits.
    """
    if isinstance(fitted, ScoredFit):
        return fitted.compute_outputs(X, activate=activate)
    network, target = fitted.network, fitted.target
    if len(fitted.members) == 1:
        return forward(network, fitted.members[0], X, activate=activate)
    on_logits = target.decides_on_logits
    outputs = [forward(network, own, X, activate=not on_logits) for own in fitted.members]
    mean = target.average(outputs)
    return network.output.forward(mean, {}) if on_logits and activate else mean


def _shift_in_own_units(fitted: Fitted) -> Network:
    """Return a network of quantiles for weights in the target's own units."""
    network, target = fitted.network, fitted.target
    if not isinstance(network.output, SortedQuantiles) or not isinstance(target, RegressionTarget):
        return network
    _, scale = target.units_of_outputs
    shifts = zip(network.output.shifts, scale.tolist(), strict=False)  # of which there may be none
    output = replace(network.output, shifts=tuple(shift * unit for shift, unit in shifts))
    return replace(network, output=output)


def as_keras_answers(fitted: Fitted, loss: Any) -> tuple[Network, Any]:
    """Return the network and the loss of a Keras model whose outputs may be averaged.

    Those of several networks are probabilities, where theirs are logits or logarithms. Without a
    loss of which Keras has none.
    """
    network, target = fitted.network, fitted.target
    if isinstance(loss, PinballLoss):
        return _shift_in_own_units(fitted), None
    link = getattr(target, "link", None)
    if len(fitted.members) == 1 or link not in ("logits", "binary logits", "log-probabilities"):
        return network, loss
    if link == "binary logits":
        return replace(network, output=Activation("sigmoid")), "binary_crossentropy"
    is_sparse = isinstance(target, ClassTarget) and target.is_sparse
    loss = f"{'sparse_' if is_sparse else ''}categorical_crossentropy"
    return replace(network, output=Activation("softmax")), loss
