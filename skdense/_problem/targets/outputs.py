"""What classifying outputs mean, by their link."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def as_score(link: str, outputs: Array) -> Array:
    return (outputs + 1) / 2 if link == "margins" else outputs


def find_threshold(target: Any, dtype: np.dtype) -> Any:
    """Return the output of one unit, or its logit, above which it says yes."""
    return dtype.type(0 if target.decides_on_logits or target.link == "margins" else 0.5)


def make_binary_accuracy(link: str) -> Accuracy:
    return Accuracy("binary", 0.0 if link in ("binary logits", "margins") else 0.5)
