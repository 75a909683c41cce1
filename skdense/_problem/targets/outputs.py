"""What classifying outputs mean, by their link."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, logsumexp

from ..._networks.network import Weights
from ..._training.metrics import Accuracy

Array = NDArray[Any]


class UnitlessTarget:
    """What targets of classes and of labels share: they have no units to fold in."""

    output_scale = None
    needs_float64 = False

    def in_own_units(self, weights: Weights) -> Weights:
        """Return the weights as they are."""
        return weights


def average_logarithms(logarithms: Array) -> Array:
    """Return the logarithm of the mean of probabilities, over the first axis."""
    return logsumexp(logarithms, axis=0) - logarithms.dtype.type(np.log(len(logarithms)))


def average_logits(logits: Array) -> Array:
    """Return the logit of the mean of the sigmoids of logits, over the first axis."""
    return average_logarithms(log_expit(logits)) - average_logarithms(log_expit(-logits))


def as_output(link: str, probability: Array) -> Array:
    """Undo `as_score`."""
    return 2 * probability - 1 if link == "margins" else probability


def as_score(link: str, outputs: Array) -> Array:
    return (outputs + 1) / 2 if link == "margins" else outputs


def find_threshold(target: Any, dtype: np.dtype) -> Any:
    """Return the output of one unit, or its logit, above which it says yes."""
    return dtype.type(0 if target.decides_on_logits or target.link == "margins" else 0.5)


def make_binary_accuracy(link: str) -> Accuracy:
    return Accuracy("binary", 0.0 if link in ("binary logits", "margins") else 0.5)
