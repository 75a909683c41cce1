"""Weights of classes, which multiply those of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .constraints import as_float
from .labels import Labels, show_labels

Array = NDArray[Any]


def weigh_classes(
    given: str | Mapping[Any, float] | None, labels: Labels, codes: Array, sample_weight: Any
) -> Array | None:
    """Return the weight of each class.

    Parameters
    ----------
    given : None, "balanced" or dict of label to weight
        "balanced" is ``n_samples / (n_classes * count)`` as in
        ``sklearn.utils.class_weight.compute_class_weight``, counting rows by their weight.
        Labels that a dict leaves out weigh 1. It may name labels that y lacks, as a fold may,
        where it names all that y has, as in scikit-learn.
    labels : Labels
    codes : ndarray of shape (n_samples,) or (n_samples, n_labels)
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    ndarray of shape (1, n_classes), for an indicator matrix (n_labels, 2), or None

    Raises
    ------
    ValueError
        For a label that is not in y while one in y goes unnamed, a negative weight, or a dict with
        an indicator matrix.
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
    return _named(given, labels.values)[np.newaxis]


def _named(given: Mapping[Any, float], classes: Array) -> Array:
    weights, is_named = np.ones(len(classes)), np.zeros(len(classes), bool)
    others: list[Any] = []
    for label, weight in given.items():
        if not 0 <= as_float(weight) < np.inf:
            raise ValueError(f"class_weight must be of numbers >= 0. Got {label!r}: {weight!r}.")
        is_meant = classes == label if np.isscalar(label) else np.zeros(len(classes), bool)
        if is_meant.any():
            weights[is_meant], is_named[is_meant] = weight, True
        else:
            others.append(label)
    # A label that y lacks is no mistake in a fold that names all it has, but else a misspelt one.
    if others and not is_named.all():
        raise ValueError(
            f"class_weight must name classes of y, {show_labels(classes)}. Got {others[0]!r}, and "
            f"none of {show_labels(classes[~is_named])}."
        )
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
