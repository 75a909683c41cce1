"""Weights of classes, which multiply those of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._labels import Labels
from ._parameters import as_float

Array = NDArray[Any]


def class_weights(
    given: str | Mapping[Any, float] | None, labels: Labels, codes: Array, sample_weight: Any
) -> Array | None:
    """Return the weight of each class.

    Parameters
    ----------
    given : None, "balanced" or dict of label to weight
        "balanced" is ``n_samples / (n_classes * count)`` as in
        ``sklearn.utils.class_weight.compute_class_weight``, counting rows by their weight.
        Labels that a dict leaves out weigh 1.
    labels : Labels
    codes : ndarray of shape (n_samples,) or (n_samples, n_labels)
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    ndarray of shape (1, n_classes), for an indicator matrix (n_labels, 2), or None

    Raises
    ------
    ValueError
        For a class that is not in y, a negative weight, or a dict with an indicator matrix.
    """
    if given is None:
        return None
    if isinstance(given, str):
        columns = codes.T if labels.is_multilabel else codes[np.newaxis]
        n_classes = 2 if labels.is_multilabel else len(labels.values)
        return np.stack([_balanced(column, n_classes, sample_weight) for column in columns])
    if labels.is_multilabel:
        raise ValueError(
            "class_weight must be None or 'balanced' for an indicator matrix. Got a dict. Pass "
            "sample_weight for other weights."
        )
    weights = np.ones((1, len(labels.values)))
    for label, weight in given.items():
        position = np.flatnonzero(labels.values == label) if np.isscalar(label) else ()
        if len(position) != 1:
            raise ValueError(
                f"class_weight must name classes of y, {labels.values.tolist()}. Got {label!r}."
            )
        if not 0 <= as_float(weight) < np.inf:
            raise ValueError(f"class_weight must be of numbers >= 0. Got {label!r}: {weight!r}.")
        weights[0, position] = weight
    return weights


def _balanced(codes: Array, n_classes: int, sample_weight: Any) -> Array:
    counts = np.bincount(codes, weights=sample_weight, minlength=n_classes)
    present = counts > 0
    balanced = np.zeros(n_classes)
    balanced[present] = counts.sum() / (present.sum() * counts[present])
    return balanced


def weigh(sample_weight: Array | None, codes: Array, weights: Array | None) -> Array | None:
    """Multiply the weights of rows by those of their classes; of several labels, by each."""
    if weights is None:
        return sample_weight
    columns = codes.reshape(len(codes), -1).T
    own = np.prod([w[column] for w, column in zip(weights, columns, strict=True)], axis=0)
    if sample_weight is None:
        return own
    with np.errstate(over="ignore"):
        product: Array = sample_weight * own
    if not np.isfinite(product).all():
        raise ValueError(
            "sample_weight times class_weight must be numbers that float64 holds. Got sample "
            f"weights up to {sample_weight.max():.3g} and class weights up to {own.max():.3g}."
        )
    return product
