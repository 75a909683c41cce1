"""Several labels of 0 and 1 for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from ..._training.metrics import Accuracy
from ..output_layer import Head, find_link
from .outputs import (
    UnitlessTarget,
    as_output,
    as_score,
    average_logits,
    find_threshold,
    make_binary_accuracy,
)

Array = NDArray[Any]


@dataclass(frozen=True)
class LabelsTarget(UnitlessTarget):
    """Several labels of 0 and 1, one output for each.

    Attributes
    ----------
    n_units : int
    link : {"binary logits", "margins", "scores"}
        What the outputs are, after their activation.
    decides_on_logits : bool
        Whether decisions are taken before the output's activation.
    """

    n_units: int
    link: str
    decides_on_logits: bool

    def encode(self, codes: NDArray[np.intp], name: str = "y") -> Array:
        return codes.astype(np.float32)

    @property
    def accuracy(self) -> Accuracy:
        """The share of labels that are right."""
        return make_binary_accuracy(self.link)

    def choose(self, decision: Array) -> NDArray[np.intp]:
        """Turn decision values into an indicator matrix."""
        return (decision > 0).astype(np.intp)

    def decide(self, outputs: Array) -> Array:
        """Turn logits or other outputs into values that are positive for predicted labels."""
        return outputs - find_threshold(self, outputs.dtype)

    def average(self, members: Sequence[Array]) -> Array:
        """Return outputs, or logits where decisions are taken on them, of mean probabilities."""
        outputs = np.stack(members)
        if self.decides_on_logits:
            return average_logits(outputs)
        return as_output(self.link, np.clip(as_score(self.link, outputs), 0, 1).mean(axis=0))

    @property
    def answers_from_logits(self) -> bool:
        """Whether `probabilities` takes logits in place of outputs after their activation."""
        return self.decides_on_logits

    def probabilities(self, outputs: Array) -> Array:
        """Turn outputs or logits into the probability of each label, (n_samples, n_labels)."""
        if self.answers_from_logits:
            return expit(outputs)
        return np.clip(as_score(self.link, outputs), 0, 1)

    def log_probabilities(self, outputs: Array) -> Array:
        """Turn what decisions are taken on into the logarithm of each label's probability."""
        return log_expit(outputs)

    @property
    def has_logarithms(self) -> bool:
        """Whether probabilities have logarithms that are not taken of them."""
        return self.decides_on_logits


def make_labels_target(n_labels: int, head: Head) -> LabelsTarget:
    """Return the target for a settled head."""
    link = find_link(head)
    return LabelsTarget(n_labels, link, head.activation == "sigmoid" or "logits" in link)
