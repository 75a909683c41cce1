"""Folds of the rows, of which each network of an ensemble holds one out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d

from .._backend.warnings import warn_caller
from .labels import Labels, show_labels
from .rows import Rows

Array = NDArray[Any]
Fold = tuple[Rows, Rows]  # to train on, and to watch


def hold_out_folds(
    rows: Rows,
    n_folds: int,
    generator: np.random.Generator,
    labels: Labels | None = None,
    groups: Array | None = None,
) -> list[Fold]:
    """Deal the rows out to folds at random.

    Parameters
    ----------
    rows : Rows
    n_folds : int
    generator : numpy.random.Generator
    labels : Labels or None
        For classification: each fold then has its share of every class, or of every combination of
        labels. A class of a single row stays in training, with a warning.
    groups : ndarray of shape (n_samples,) or None
        Rows of one group are in one fold, whatever their classes.

    Raises
    ------
    ValueError
        If there are fewer rows, or groups, than folds.
    """
    of_rows = "rows" if groups is None else "groups"
    numbers = _number_by_class(rows, labels) if groups is None else groups[rows.index]
    n_units = len(rows) if groups is None else len(np.unique(numbers))
    if n_units < n_folds:
        raise ValueError(
            f"validation_fraction='folds' holds {of_rows} out for each network. Got n_estimators="
            f"{n_folds} and {n_units} {of_rows}. Lower n_estimators."
        )
    deal = _deal_rows if groups is None else _deal_groups
    folds = deal(numbers, n_folds, generator)
    if labels is not None and not labels.is_multilabel and groups is None:
        folds[_find_single_rows(numbers, labels)] = -1
    if len(np.unique(folds[folds >= 0])) < n_folds:
        raise ValueError(
            "validation_fraction='folds' needs rows for each fold, besides those of classes of a "
            f"single row. Got n_estimators={n_folds} and {(folds >= 0).sum()} such rows. Lower "
            "n_estimators."
        )
    return _as_rows(rows, folds, n_folds)


def read_groups(groups: Any, n_samples: int) -> Array | None:
    """Return groups of rows, one for each."""
    if groups is None:
        return None
    read: Array = column_or_1d(groups)
    if len(read) != n_samples:
        raise ValueError(
            f"groups must have one value for each of the {n_samples} rows of X. Got {len(read)}."
        )
    return read


def number_folds(folds: list[Fold], n_samples: int) -> Array:
    """Return which fold each row of X is held out in, (n_samples,), -1 for none."""
    numbers = np.full(n_samples, -1)
    for number, (_, held) in enumerate(folds):
        numbers[held.index] = number
    return numbers


def _number_by_class(rows: Rows, labels: Labels | None) -> Array:
    if labels is None:
        return np.zeros(len(rows), int)
    if not labels.is_multilabel:
        return rows.targets
    _, numbers = np.unique(rows.targets, axis=0, return_inverse=True)
    return numbers.ravel()


def _deal_rows(strata: Array, n_folds: int, generator: np.random.Generator) -> Array:
    """Deal like cards, one stratum after the other: no fold has two rows more than another."""
    order = generator.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    folds = np.empty(len(strata), int)
    folds[order] = np.arange(len(strata)) % n_folds
    return folds


def _deal_groups(groups: Array, n_folds: int, generator: np.random.Generator) -> Array:
    """Give each group, the largest first, to the fold that has the fewest rows."""
    _, numbers, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = generator.permutation(len(counts))
    order = order[np.argsort(-counts[order], kind="stable")]
    fold_of_group, sizes = np.empty(len(counts), int), np.zeros(n_folds, int)
    for group in order:
        fold_of_group[group] = sizes.argmin()
        sizes[sizes.argmin()] += counts[group]
    folds: Array = fold_of_group[numbers]
    return folds


def _find_single_rows(codes: Array, labels: Labels) -> Array:
    is_single = np.bincount(codes, minlength=len(labels.values)) == 1
    if is_single.any():
        warn_caller(
            "The folds hold no row of these classes out, which have a single one: "
            f"{show_labels(labels.values[is_single])}."
        )
    single: Array = is_single[codes]
    return single


def _as_rows(rows: Rows, folds: Array, n_folds: int) -> list[Fold]:
    """Return the rows of each fold, as many to train on: where one lacks rows, some count twice.

    The networks of one program take as many steps in an epoch.
    """
    used = [np.flatnonzero(folds != number) for number in range(n_folds)]
    most = max(map(len, used))
    held = [np.flatnonzero(folds == number) for number in range(n_folds)]
    used = [np.concatenate([own, own[: most - len(own)]]) for own in used]
    return [(rows.at(own), rows.at(other)) for own, other in zip(used, held, strict=True)]
