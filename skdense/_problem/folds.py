"""Folds of the rows, of which each network of an ensemble holds one out."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

from .._backend.warnings import warn_caller
from .labels import Labels, show_labels
from .rows import Rows

Array = NDArray[Any]
Fold = tuple[Rows, Rows]  # to train on, and to watch

# Of the rows, for one network that holds out a fold: as many as early stopping does by default.
_FOLDS_OF_ONE_NETWORK = 10
# StratifiedGroupKFold takes .3 ms for each. More of them are as many of each class in every fold.
_MOST_GROUPS_ONE_BY_ONE = 5_000


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
        labels. A class of a single row, or group, stays in training, with a warning.
    groups : ndarray of shape (n_samples,) or None
        Integer codes: rows of one group are in one fold.

    Raises
    ------
    ValueError
        If there are fewer rows, or groups, than folds.
    """
    units = _Units(rows, labels, groups)
    if units.n_to_deal < n_folds:
        units.refuse(n_folds, units.n_to_deal)
    folds = units.deal(n_folds, generator)
    n_filled = len(np.unique(folds[folds >= 0]))
    if n_filled < n_folds:
        units.refuse(n_folds, n_filled)
    return _as_rows(rows, folds, n_folds)


def hold_out_groups(
    rows: Rows,
    generator: np.random.Generator,
    labels: Labels | None,
    groups: Array,
) -> Fold:
    """Hold out whole groups, of about a tenth of the rows, for all networks alike.

    Parameters and errors as in `hold_out_folds`.
    """
    units = _Units(rows, labels, groups)
    if units.n_to_deal + units.is_fixed.any() < 2:
        units.refuse(1, units.n_to_deal, is_possible=False)
    n_folds = min(_FOLDS_OF_ONE_NETWORK, units.n_to_deal)
    folds = units.deal(n_folds, generator)
    sizes = np.bincount(folds[folds >= 0], minlength=n_folds)
    if not sizes.any():
        units.refuse(1, 0, is_possible=False)
    # Not the fold of a group that has most of the rows.
    misses = np.abs(sizes - len(rows) / _FOLDS_OF_ONE_NETWORK)
    held = int(np.where(sizes > 0, misses, np.inf).argmin())
    return rows.at(np.flatnonzero(folds != held)), rows.at(np.flatnonzero(folds == held))


def read_groups(groups: Any, n_samples: int) -> Array | None:
    """Return an integer code of each row's group.

    Raises
    ------
    ValueError
        Unless there is one value for each row, none of them missing.
    """
    if groups is None:
        return None
    from pandas import isna  # knows every kind that an array of objects may hold

    # A list as objects: NumPy makes strings of numbers, and of NaN, that stand beside strings.
    read = np.asarray(groups, dtype=None if hasattr(groups, "dtype") else object)
    read = read[:, 0] if read.ndim == 2 and read.shape[1] == 1 else read
    if read.shape != (n_samples,):
        raise ValueError(
            f"groups must have one value for each of the {n_samples} rows of X. Got "
            f"{len(read) if read.ndim == 1 else f'shape {read.shape}'}."
        )
    is_missing = isna(read)
    if is_missing.any():
        example = read[is_missing].tolist()[0]
        raise ValueError(
            f"groups must name the group of every row. Got {int(is_missing.sum())} missing "
            f"value(s), such as {example!r}. Drop such rows, or put each of them into a group."
        )
    try:
        return np.unique(read, return_inverse=True)[1].ravel()
    except TypeError as error:
        kinds = sorted({type(group).__name__ for group in read.tolist()})
        raise ValueError(
            f"groups must be values of one kind, which compare. Got {', '.join(kinds)}: {error}. "
            "Convert them all to strings."
        ) from error


def number_folds(folds: list[Fold], n_samples: int) -> Array:
    """Return which fold each row of X is held out in, (n_samples,), -1 for none."""
    numbers = np.full(n_samples, -1)
    for number, (_, held) in enumerate(folds):
        numbers[held.index] = number
    return numbers


class _Units:
    """What is dealt out to folds, single rows or groups of them.

    Attributes
    ----------
    is_fixed : ndarray of bool
        Rows in use that stay in training, since no other row, or group, has their class.
    n_to_deal : int
        Rows, or groups, that may be held out.
    """

    def __init__(self, rows: Rows, labels: Labels | None, groups: Array | None) -> None:
        self._labels = labels
        self._strata = _number_strata(rows, labels)
        self._groups = None if groups is None else groups[rows.index]
        is_alone = self._find_classes_alone()
        self.is_fixed = self._find_rows_of(is_alone)
        self._warn(is_alone)
        left = ~self.is_fixed
        self.n_to_deal = (
            int(left.sum()) if self._groups is None else len(np.unique(self._groups[left]))
        )

    def deal(self, n_folds: int, generator: np.random.Generator) -> Array:
        """Return the fold of each row, -1 for those that stay in training."""
        left = ~self.is_fixed
        folds = np.full(len(left), -1)
        if self._groups is None:
            folds[left] = _deal_rows(self._strata[left], n_folds, generator)
            return folds
        folds[left] = _deal_groups(self._groups[left], self._strata[left], n_folds, generator)
        if self._has_classes:
            is_alone = _count_distinct(self._strata, folds) == 1
            is_alone[np.unique(self._strata[self.is_fixed])] = False
            folds[self._find_rows_of(is_alone)] = -1
            self._warn(is_alone)
        return folds

    def refuse(self, n_folds: int, n_units: int, *, is_possible: bool = True) -> NoReturn:
        """Raise ValueError: so many folds cannot be, of so few rows or groups.

        With the advice to have as many folds as these, if that `is_possible`.
        """
        of_units = "rows" if self._groups is None else "groups"
        besides = f" besides those of classes that a single one of the {of_units} has"
        if is_possible and n_units:
            advice = f"Set n_estimators={n_units}."
        elif self._groups is not None:
            advice = "Set groups=None."
        else:
            advice = advise_no_validation(self._labels)
        raise ValueError(
            f"validation_fraction='folds' holds {of_units} out for each network. Got n_estimators="
            f"{n_folds} and {n_units} {of_units}{besides * bool(self.is_fixed.any())}. {advice}"
        )

    @property
    def _has_classes(self) -> bool:
        return self._labels is not None and not self._labels.is_multilabel

    def _find_classes_alone(self) -> Array:
        """Return which classes a single row, or a single group, has."""
        if not self._has_classes:
            return np.zeros(self._strata.max() + 1, bool)
        if self._groups is None:
            return np.bincount(self._strata) == 1
        return _count_distinct(self._strata, self._groups) == 1

    def _find_rows_of(self, is_class: Array) -> Array:
        """Return the rows of some classes, with the others of their groups."""
        are_of: Array = is_class[self._strata]
        return are_of if self._groups is None else np.isin(self._groups, self._groups[are_of])

    def _warn(self, is_alone: Array) -> None:
        if not is_alone.any():
            return
        assert self._labels is not None
        shown = show_labels(self._labels.values[np.flatnonzero(is_alone)])
        why = "have a single one" if self._groups is None else "too few groups have"
        warn_caller(f"The folds hold no row of these classes out, which {why}: {shown}.")


def advise_no_validation(labels: Labels | None) -> str:
    """Return how to train without validation rows."""
    calibration = "" if labels is None else " and calibration=None"
    return f"Set early_stopping=False and validation_fraction=None{calibration}."


def _number_strata(rows: Rows, labels: Labels | None) -> Array:
    if labels is None:
        return np.zeros(len(rows), int)
    if not labels.is_multilabel:
        return rows.targets
    _, numbers = np.unique(rows.targets, axis=0, return_inverse=True)
    return numbers.ravel()


def _count_distinct(codes: Array, others: Array) -> Array:
    """Return how many distinct ones of the others stand beside each code."""
    pairs = np.unique(np.column_stack([codes, others]), axis=0)
    counts: Array = np.bincount(pairs[:, 0])
    return counts


def _deal_rows(strata: Array, n_folds: int, generator: np.random.Generator) -> Array:
    """Deal like cards, one stratum after the other: no fold has two rows more than another.

    Unlike ``StratifiedKFold``, which keeps that for each stratum only, and warns of small ones.
    """
    order = generator.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    folds = np.empty(len(strata), int)
    folds[order] = np.arange(len(strata)) % n_folds
    return folds


def _deal_groups(
    groups: Array, strata: Array, n_folds: int, generator: np.random.Generator
) -> Array:
    """Deal groups out for folds of a size, with their share of each stratum.

    Among equals the order of codes decides in scikit-learn: they are shuffled. Its own `shuffle`
    does other things in some of its releases.
    """
    groups = generator.permutation(groups.max() + 1)[groups]
    groups = np.unique(groups, return_inverse=True)[1].ravel()
    strata = _merge_small(strata, n_folds)
    if len(np.unique(strata)) == 1:
        return _number_splits(GroupKFold(n_folds), strata, groups)
    if groups.max() < _MOST_GROUPS_ONE_BY_ONE:
        return _number_splits(StratifiedGroupKFold(n_folds), strata, groups)
    rarest = _find_rarest(strata, groups)
    return _number_splits(StratifiedKFold(n_folds), _merge_small(rarest, n_folds))[groups]


def _number_splits(split: Any, strata: Array, groups: Array | None = None) -> Array:
    """Return the number of the split that holds each row out."""
    numbers = np.full(len(strata), -1)
    for number, (_, held) in enumerate(split.split(strata, strata, groups)):
        numbers[held] = number
    return numbers


def _find_rarest(strata: Array, groups: Array) -> Array:
    """Return of each group the stratum that has the fewest rows of all."""
    ranks = np.bincount(strata).argsort(kind="stable").argsort()
    rarest = np.full(groups.max() + 1, len(ranks))
    np.minimum.at(rarest, groups, ranks[strata])
    return rarest


def _merge_small(strata: Array, n_folds: int) -> Array:
    """Make one stratum of those with fewer rows than folds, of the next larger one if need be."""
    _, codes, counts = np.unique(strata, return_inverse=True, return_counts=True)
    order = np.argsort(counts, kind="stable")
    n_small = int((counts < n_folds).sum())
    if n_small == 0:
        return codes.ravel()
    totals = np.cumsum(counts[order])
    n_merged = max(n_small, int(np.searchsorted(totals, n_folds)) + 1)
    codes[np.isin(codes, order[:n_merged])] = order[0]
    return codes.ravel()


def _as_rows(rows: Rows, folds: Array, n_folds: int) -> list[Fold]:
    """Return the rows of each fold, as many to train on: where one lacks rows, some count twice.

    The networks of one program take as many steps in an epoch.
    """
    used = [np.flatnonzero(folds != number) for number in range(n_folds)]
    most = max(map(len, used))
    held = [np.flatnonzero(folds == number) for number in range(n_folds)]
    used = [np.resize(positions, most) for positions in used]
    return [(rows.at(own), rows.at(other)) for own, other in zip(used, held, strict=True)]
