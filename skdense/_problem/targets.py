"""Kinds of target: how labels become numbers for a network, and its outputs answers again.

A target is frozen data, made from y and the parameters, and kept by the fitted estimator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax

from .._backend.keras_objects import loss_name
from .._networks.network import Weights
from .._networks.standardization import exceeds_float32, mean_and_scale
from .._training.metrics import Accuracy
from .output_layer import SPARSE_LOSSES, Head, outputs_link

Array = NDArray[Any]

# Losses for which learning (y - mean) / std makes sense. For the first two it is the same problem
# in other units. The bend of the others then lies at standard deviations of y, as in
# sklearn.linear_model.HuberRegressor.
_STANDARDIZED_LOSSES = {"mean_squared_error", "mean_absolute_error", "huber", "log_cosh"}


# --- classification ----------------------------------------------------------------------


class _UnitlessTarget:
    """What targets of classes and of labels share: they have no units to fold in."""

    output_scale = None
    needs_float64 = False

    def in_own_units(self, weights: Weights) -> Weights:
        """Return the weights as they are."""
        return weights


@dataclass(frozen=True)
class ClassTarget(_UnitlessTarget):
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
            return _binary_accuracy(self.link)
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
            return outputs[:, 0] - threshold(self, outputs.dtype)
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
        second = np.clip(_score(self.link, output), 0, 1)
        return np.column_stack([1 - second, second])

    def _log_scores(self, outputs: Array) -> Array:
        """Return what a softmax makes probabilities of."""
        return outputs if self.is_softmax else log_expit(outputs)

    def _scores(self, outputs: Array) -> Array:
        """Return what is in proportion to probabilities; in each row one is above 0."""
        scores = _score(self.link, outputs)
        has_any = scores.max(axis=1, keepdims=True) > 0
        return np.where(has_any, scores, softmax(scores, axis=1))


@dataclass(frozen=True)
class LabelsTarget(_UnitlessTarget):
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
        return _binary_accuracy(self.link)

    def choose(self, decision: Array) -> NDArray[np.intp]:
        """Turn decision values into an indicator matrix."""
        return (decision > 0).astype(np.intp)

    def decide(self, outputs: Array) -> Array:
        """Turn logits or other outputs into values that are positive for predicted labels."""
        return outputs - threshold(self, outputs.dtype)

    @property
    def answers_from_logits(self) -> bool:
        """Whether `probabilities` takes logits in place of outputs after their activation."""
        return self.decides_on_logits

    def probabilities(self, outputs: Array) -> Array:
        """Turn outputs or logits into the probability of each label, (n_samples, n_labels)."""
        if self.answers_from_logits:
            return expit(outputs)
        return np.clip(_score(self.link, outputs), 0, 1)

    def log_probabilities(self, outputs: Array) -> Array:
        """Turn what decisions are taken on into the logarithm of each label's probability."""
        return log_expit(outputs)

    @property
    def has_logarithms(self) -> bool:
        """Whether probabilities have logarithms that are not taken of them."""
        return self.decides_on_logits


def _score(link: str, outputs: Array) -> Array:
    return (outputs + 1) / 2 if link == "margins" else outputs


def threshold(target: ClassTarget | LabelsTarget, dtype: np.dtype) -> Any:
    """Return the output of one unit, or its logit, above which it says yes."""
    return dtype.type(0 if target.decides_on_logits or target.link == "margins" else 0.5)


def _binary_accuracy(link: str) -> Accuracy:
    return Accuracy("binary", 0.0 if link in ("binary logits", "margins") else 0.5)


def labels_target(n_labels: int, head: Head) -> LabelsTarget:
    """Return the target for a settled head."""
    link = outputs_link(head)
    return LabelsTarget(n_labels, link, head.activation == "sigmoid" or "logits" in link)


def class_target(n_classes: int, n_units: int, head: Head) -> ClassTarget:
    """Return the target for a settled head."""
    link = outputs_link(head)
    return ClassTarget(
        n_classes=n_classes,
        n_units=n_units,
        is_sparse=loss_name(head.loss) in SPARSE_LOSSES,
        link=link,
        decides_on_logits=head.activation in ("softmax", "sigmoid") or "logits" in link,
    )


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
    """

    mean: Array
    scale: Array
    is_1d: bool

    accuracy = None  # is of classes

    @property
    def n_units(self) -> int:
        return len(self.mean)

    @property
    def output_scale(self) -> tuple[Array, Array] | None:
        """Mean and scale; None where outputs are in the target's own units anyway."""
        return (self.mean, self.scale) if self.is_standardized else None

    @property
    def is_standardized(self) -> bool:
        return bool(self.mean.any() or (self.scale != 1).any())

    @property
    def needs_float64(self) -> bool:
        """Whether float32 cannot hold the numbers, in the target's own units."""
        return exceeds_float32(self.mean, self.scale)

    def encode(self, y: Array, name: str = "y") -> Array:
        """Turn y, (n_samples,) or (n_samples, n_outputs), into (n_samples, n_outputs)."""
        columns = y.reshape(len(y), -1)
        if columns.shape[1] != self.n_units:
            raise ValueError(
                f"{name} must have {self.n_units} column(s), as the y that was trained on. Got "
                f"{columns.shape[1]}."
            )
        with np.errstate(over="ignore"):
            encoded = (columns - self.mean) / self.scale
        if not np.isfinite(encoded).all():
            raise ValueError(
                f"{name} must be numbers that float64 holds in standard deviations of the y that "
                f"was trained on, {self.scale.min():.3g}. Got values up to "
                f"{np.abs(columns).max():.3g}."
            )
        return encoded

    def decode(self, outputs: Array) -> Array:
        """Turn the network's outputs into predictions, in their dtype if it can hold them."""
        if self.is_standardized:
            dtype = outputs.dtype
            outputs = outputs * self.scale + self.mean
            if dtype != np.float64 and not self.needs_float64:
                outputs = outputs.astype(dtype)
        return outputs[:, 0] if self.is_1d else outputs

    def in_own_units(self, weights: Weights) -> Weights:
        """Fold mean and scale into the last dense layer, whose arrays become float64."""
        if not self.is_standardized:
            return weights
        kernel = weights[-1]["kernel"] * self.scale
        bias = weights[-1]["bias"] * self.scale + self.mean
        return (*weights[:-1], {"kernel": kernel, "bias": bias})


def regression_target(
    y: Array, sample_weight: Array | None, head: Head, standardize: bool
) -> RegressionTarget:
    """Return the target, standardised if asked for and if head and loss allow it."""
    if loss_name(head.loss) == "poisson" and y.min() < 0:
        raise ValueError(
            f"loss='poisson' needs counts or rates, y >= 0. Got {y.min()}. Use another loss."
        )
    n_outputs = 1 if y.ndim == 1 else y.shape[1]
    mean, scale = np.zeros(n_outputs), np.ones(n_outputs)
    allowed = head.activation == "linear" and loss_name(head.loss) in _STANDARDIZED_LOSSES
    if standardize and allowed:
        columns = y.reshape(len(y), -1).astype(np.float64)
        mean, scale = mean_and_scale(columns, sample_weight)
        with np.errstate(over="ignore"):
            has_variance = np.isfinite(mean + scale**2).all()
        if not has_variance:
            raise ValueError(
                "y must have a variance that float64 can hold. Got values up to "
                f"{np.abs(columns).max():.3g}. Divide y by a constant."
            )
    return RegressionTarget(mean, scale, y.ndim == 1)


Target = ClassTarget | LabelsTarget | RegressionTarget
