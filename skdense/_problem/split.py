"""Rows held out from training, to be watched."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedShuffleSplit

from .._backend.warnings import warn_caller
from .folds import advise_no_validation
from .labels import Labels
from .rows import Rows

Array = NDArray[Any]

_CLASSES_NAMED = 10


def hold_out(
    rows: Rows, fraction: float, generator: np.random.Generator, labels: Labels | None = None
) -> tuple[Rows, Rows]:
    """Split rows at random into those to train on and those to watch.

    Parameters
    ----------
    rows : Rows
    fraction : float
        Of the rows, to watch; rounded up.
    generator : numpy.random.Generator
    labels : Labels or None
        For classification: the split is then stratified, by the combination of labels where a
        row has several. Classes of a single row stay in training, with a warning.

    Raises
    ------
    ValueError
        If no row, or not every class, is left to train on.
    """
    n_held = math.ceil(fraction * len(rows))
    has_classes = labels is not None and not labels.is_multilabel
    n_least = len(np.unique(rows.targets)) if has_classes else 1
    advice = _advise_fraction(len(rows) - n_least, len(rows), labels)
    if n_held >= len(rows):
        raise ValueError(
            f"validation_fraction must leave rows to train on. Got {fraction} of {len(rows)} "
            f"row(s). {advice}"
        )
    if len(rows) - n_held < n_least:
        raise ValueError(
            f"validation_fraction must leave every one of {n_least} classes a row to train on. "
            f"Got {len(rows) - n_held} row(s) to train on. Add rows, or pass X_val and y_val. "
            f"{advice}"
        )
    if labels is None:
        held = generator.permutation(len(rows))[:n_held]
    elif labels.is_multilabel:
        held = _hold_out_labels(rows.targets, n_held, generator)
    else:
        held = _hold_out_classes(rows.targets, n_held, generator, labels.values)
    return rows.at(np.setdiff1d(np.arange(len(rows)), held)), rows.at(held)


def _advise_fraction(n_most: int, n_rows: int, labels: Labels | None) -> str:
    """Return how to hold out so many rows at most."""
    fraction = math.floor(1_000 * n_most / max(n_rows, 1)) / 1_000
    if fraction > 0:
        return f"Set validation_fraction={fraction}."
    return advise_no_validation(labels)


def _hold_out_classes(
    y: Array, n_held: int, generator: np.random.Generator, values: Array
) -> NDArray[np.intp]:
    counts = np.bincount(y, minlength=len(values))
    common = np.flatnonzero(counts[y] > 1)
    held, message = _stratified(y[common], n_held, generator), ""
    if held is None:
        message = (
            f"{n_held} validation rows of {len(common)} are too few, or too many, to hold each "
            "class in proportion. They are drawn at random, so that every class is trained on. "
        )
        order = generator.permutation(len(common))
        _, firsts = np.unique(y[common[order]], return_index=True)
        held = np.delete(order, firsts)[:n_held]
    held = common[held]
    unseen = np.setdiff1d(y, y[held])
    if len(unseen):
        n_more = max(0, len(unseen) - _CLASSES_NAMED)
        message += (
            "The validation rows hold none of these rare classes: "
            f"{values[unseen[:_CLASSES_NAMED]].tolist()}{f' and {n_more} more' * (n_more > 0)}."
        )
    if message:
        warn_caller(message.strip())
    return held


def _stratified(
    strata: Array, n_held: int, generator: np.random.Generator
) -> NDArray[np.intp] | None:
    """Draw rows in proportion to the strata, each of at least 2 rows; None where it cannot be."""
    n_strata = len(np.unique(strata))
    if not n_strata <= n_held <= len(strata) - n_strata:
        return None
    seed = int(generator.integers(2**31))
    split = StratifiedShuffleSplit(1, test_size=n_held, random_state=seed)
    left, held = next(split.split(strata, strata))
    # With many rows held out, all of a small stratum may be among them.
    return held if len(np.unique(strata[left])) == n_strata else None


def _hold_out_labels(y: Array, n_held: int, generator: np.random.Generator) -> NDArray[np.intp]:
    _, strata = np.unique(y, axis=0, return_inverse=True)
    strata = strata.ravel()
    singles = np.bincount(strata)[strata] == 1
    # Combinations of a single row make one stratum together; one alone stays in training.
    strata[singles] = strata.max() + 1
    common = np.flatnonzero(~singles) if singles.sum() == 1 else np.arange(len(y))
    held = _stratified(strata[common], n_held, generator)
    if held is None:
        held = generator.permutation(len(common))[:n_held]
    held = common[held]
    left = np.delete(y, held, axis=0)
    untrained = np.flatnonzero(y.any(axis=0) & ~left.any(axis=0))
    if len(untrained):
        warn_caller(
            "Every label should be on a row to train on. These are only on validation rows: "
            f"{untrained.tolist()}. Pass X_val and y_val, or another random_state."
        )
    return held
