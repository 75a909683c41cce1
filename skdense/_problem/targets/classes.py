"""One class for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax

from ..._backend.keras_objects import loss_name
from ..._training.metrics import Accuracy
from ..output_layer import SPARSE_LOSSES, Head, find_link
from .outputs import (
    UnitlessTarget,
    as_output,
    as_score,
    average_logarithms,
    average_logits,
    find_threshold,
    make_binary_accuracy,
)

Array = NDArray[Any]


@dataclass(frozen=True)
class ClassTarget(UnitlessTarget):
    """Classes as the targets of a network with `n_units` outputs.

    Attributes
    ----------
    n_classes : int
    n_units : int
        1 for two classes seen by one unit, otherwise one per class.
    is_sparse : bool
        Whether the loss takes class indices in place of a column per class.
    link : {"probabilities", "log-probabilities", "logits", "binary logits", "margins", "scores"}
        What the outputs are, after their activation. "logits" are of a softmax, "binary
        logits" of a sigmoid each.
    decides_on_logits : bool
        Whether decisions are taken before the output's activation.
    """

    n_classes: int
    n_units: int
    is_sparse: bool
    link: str
    decides_on_logits: bool

    def encode(self, codes: NDArray[np.intp], name: str = "y") -> Array:
        """Turn class indices, (n_samples,), into (n_samples, n_target_columns)."""
        if self.n_units == 1 or self.is_sparse:
            return codes[:, np.newaxis].astype(np.float32)
        return np.eye(self.n_classes, dtype=np.float32)[codes]

    @property
    def accuracy(self) -> Accuracy:
        """The share of rows whose class has the highest output."""
        if self.n_units == 1:
            return make_binary_accuracy(self.link)
        return Accuracy("sparse_categorical" if self.is_sparse else "categorical")

    def choose(self, decision: Array) -> NDArray[np.intp]:
        """Turn decision values into class numbers."""
        return (decision > 0).astype(np.intp) if decision.ndim == 1 else decision.argmax(axis=1)

    def decide(self, outputs: Array) -> Array:
        """Turn logits or other outputs into decision values.

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes)
            Two classes: positive where the second one is predicted, and greater where its
            probability is.
        """
        if self.n_units == 1:
            return outputs[:, 0] - find_threshold(self, outputs.dtype)
        if self.n_classes > 2:
            return outputs
        if self.has_logarithms:
            scores, unit = self._log_scores(outputs), 1
        else:
            # Relative to the larger one, which tells rows apart whose smaller share is cut to 0.
            scores = self._scores(outputs)
            unit = scores.max(axis=1)
        decision = (scores[:, 1] - scores[:, 0]) / unit
        # What rounds to 0 keeps its sign, so that the greater output decides.
        least = np.finfo(outputs.dtype).tiny * np.sign(outputs[:, 1] - outputs[:, 0])
        return np.where(decision == 0, least, decision)

    def average(self, members: Sequence[Array]) -> Array:
        """Return the outputs, or logits where decisions are taken on them, of mean probabilities.

        Each is of shape (n_samples, n_units).
        """
        outputs = np.stack(members)
        if self.n_units == 1:
            if self.decides_on_logits:
                return average_logits(outputs)
            return as_output(self.link, np.clip(as_score(self.link, outputs), 0, 1).mean(axis=0))
        if not self.has_logarithms:
            probabilities = np.mean([self.probabilities(own) for own in outputs], axis=0)
            return as_output(self.link, probabilities)
        logarithms = average_logarithms(log_softmax(self._log_scores(outputs), axis=2))
        if self.is_softmax:
            return logarithms
        return logarithms - np.log1p(-np.exp(logarithms))  # logits of one sigmoid for each class

    @property
    def is_softmax(self) -> bool:
        """Whether all classes share one softmax."""
        return self.link in ("probabilities", "log-probabilities", "logits")

    @property
    def has_logarithms(self) -> bool:
        """Whether probabilities have logarithms that are not taken of them.

        These are of what decisions are taken on, and keep what probabilities round to 0 or 1.
        """
        return self.decides_on_logits or self.link == "log-probabilities"

    @property
    def answers_from_logits(self) -> bool:
        """Whether `probabilities` takes logits in place of outputs after their activation.

        So that small probabilities, which 1 less the other or small sigmoids would round to 0,
        are kept.
        """
        return self.decides_on_logits and self.link != "probabilities"

    def probabilities(self, outputs: Array) -> Array:
        """Turn outputs or logits into probabilities, (n_samples, n_classes).

        Outputs that are no distribution, such as one sigmoid for each class, are cut at 0
        and divided by their sum; where none is above 0, they are taken for logits.
        """
        if self.n_units == 1:
            return self._of_one_unit(outputs[:, 0])
        if self.link == "probabilities":
            return outputs
        if self.has_logarithms:
            return softmax(self._log_scores(outputs), axis=1)
        scores = np.maximum(self._scores(outputs), 0)
        return scores / scores.sum(axis=1, keepdims=True)

    def log_probabilities(self, outputs: Array) -> Array:
        """Turn what decisions are taken on into logarithms of probabilities."""
        if self.n_units == 1:
            return np.column_stack([log_expit(-outputs[:, 0]), log_expit(outputs[:, 0])])
        return log_softmax(self._log_scores(outputs), axis=1)

    def _of_one_unit(self, output: Array) -> Array:
        if self.answers_from_logits:
            return np.column_stack([expit(-output), expit(output)])
        second = np.clip(as_score(self.link, output), 0, 1)
        return np.column_stack([1 - second, second])

    def _log_scores(self, outputs: Array) -> Array:
        """Return what a softmax makes probabilities of."""
        return outputs if self.is_softmax else log_expit(outputs)

    def _scores(self, outputs: Array) -> Array:
        """Return what is in proportion to probabilities; in each row one is above 0."""
        scores = as_score(self.link, outputs)
        has_any = scores.max(axis=1, keepdims=True) > 0
        return np.where(has_any, scores, softmax(scores, axis=1))


def make_class_target(n_classes: int, n_units: int, head: Head) -> ClassTarget:
    """Return the target for a settled head."""
    link = find_link(head)
    return ClassTarget(
        n_classes=n_classes,
        n_units=n_units,
        is_sparse=loss_name(head.loss) in SPARSE_LOSSES,
        link=link,
        decides_on_logits=head.activation in ("softmax", "sigmoid") or "logits" in link,
    )
