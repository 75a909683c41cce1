"""What is known of a column of categories, and their codes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .named_categories import ADVICE_FOR_DATES, is_interval, is_time, name_value

Array = NDArray[Any]

UNKNOWN = -1
"""Code of what is in no category of training."""
KINDS = "texts", "numbers", "booleans", "gaps only"
TEXTS, NUMBERS, BOOLEANS, GAPS = KINDS


@dataclass(frozen=True, eq=False)
class Category:
    """A column of categories, each with a code: the values, then the missing, then the infrequent.

    Attributes
    ----------
    column : int
        Its number in the table.
    kind : {"texts", "numbers", "booleans", "gaps only"}
        What its values are.
    values : ndarray of object, of shape (n_values,)
        Sorted. Those that are categories by themselves.
    has_missing : bool
        Whether missing ones are a category.
    has_infrequent : bool
        Whether training rows had other values than these, which are one category.
    frequencies : ndarray of shape (n_codes,)
        Which part of the training rows, by their weight, each code has.
    """

    column: int
    kind: str
    values: Array
    has_missing: bool
    has_infrequent: bool
    frequencies: Array

    @property
    def n_codes(self) -> int:
        return len(self.values) + self.has_missing + self.has_infrequent

    @property
    def code_names(self) -> list[str]:
        """What each code stands for, in words."""
        others = ["missing"] * self.has_missing + ["infrequent"] * self.has_infrequent
        return [*map(str, self.values), *others]

    @property
    def needs_integers(self) -> bool:
        """Whether float64 does not distinguish all values."""
        if self.kind != NUMBERS:
            return False
        return len(np.unique(self.values.astype(np.float64))) < len(self.values)

    @cached_property
    def _codes(self) -> dict[Any, int]:
        return {value: code for code, value in enumerate(self.values.tolist())}

    @property
    def missing_code(self) -> int:
        return len(self.values) if self.has_missing else self.other_code

    @property
    def other_code(self) -> int:
        """Code of infrequent and of unknown values."""
        return self.n_codes - 1 if self.has_infrequent else UNKNOWN

    @property
    def mean(self) -> float:
        """Mean of a column of two codes, -1 and 1, over the training rows."""
        return float(2 * self.frequencies[1] - 1)

    def code(self, values: list[Any], name: Any, argument: str = "X") -> NDArray[np.float64]:
        """Return the code of each value, (n_rows,).

        Raises
        ------
        ValueError
            If they are of another kind than those of training.
        """
        distinct = find_distinct(values, name, argument)
        kind = find_kind(distinct, name, argument)
        # 0 and 1 are booleans where a frame has become an array.
        is_like = {kind, self.kind} == {BOOLEANS, NUMBERS} and self.kind == BOOLEANS
        if GAPS not in (kind, self.kind) and kind != self.kind and not is_like:
            raise ValueError(
                f"{argument} must have {self.kind} in column {name!r}, as the X of fit had. Got "
                f"{kind}, such as {next(v for v in distinct if not is_missing(v))!r}."
            )
        own = {
            value: self.missing_code
            if is_missing(value)
            else self._codes.get(_plain(value), self.other_code)
            for value in distinct
        }
        return np.fromiter(map(own.__getitem__, values), np.float64, len(values))


def learn_category(
    column: int,
    values: list[Any],
    name: Any,
    *,
    min_frequency: float,
    max_categories: int | None,
    sample_weight: Array | None = None,
) -> Category:
    """Return what training rows tell of a column of categories.

    Parameters
    ----------
    column : int
    values : list
        Of the training rows.
    name
        Of the column, for messages.
    min_frequency, max_categories
        As the parameters of the estimators.
    sample_weight : ndarray of shape (n_rows,) or None
        By which frequencies are counted, but not what is infrequent.
    """
    kind = find_kind(find_distinct(values, name), name)
    counts = _count_alike(Counter(values))
    present = sorted(value for value in counts if value is not None)
    present += [None] * (None in counts)  # the missing
    n_rows = np.array([counts[value] for value in present], np.intp)
    is_infrequent = _find_infrequent(n_rows, min_frequency, max_categories)
    weights = counts
    if sample_weight is not None:
        weights = _count_alike(_sum_weights(values, sample_weight))
    frequencies = np.array([weights[value] for value in present], np.float64)
    if is_infrequent.any():
        infrequent = frequencies[is_infrequent].sum()
        frequencies = np.append(frequencies[~is_infrequent], infrequent)
    kept = [value for value, is_one in zip(present, is_infrequent, strict=True) if not is_one]
    has_missing = None in kept
    array = np.empty(len(kept) - has_missing, object)
    array[:] = kept[: len(array)]
    return Category(
        column=column,
        kind=kind,
        values=array,
        has_missing=has_missing,
        has_infrequent=bool(is_infrequent.any()),
        frequencies=frequencies / (frequencies.sum() or 1),
    )


def _count_alike(counts: Mapping[Any, float]) -> dict[Any, float]:
    """Sum what is counted of cells by the value that they stand for, None for missing ones."""
    sums: dict[Any, float] = defaultdict(int)
    for cell, count in counts.items():
        sums[None if is_missing(cell) else _plain(cell)] += count
    return sums


def _sum_weights(values: list[Any], sample_weight: Array) -> dict[Any, float]:
    sums: dict[Any, float] = defaultdict(float)
    shares = sample_weight / sample_weight.max(initial=0)  # whose sum does not overflow
    for value, share in zip(values, shares.tolist(), strict=True):
        sums[value] += share
    return sums


def _find_infrequent(
    n_rows: NDArray[np.intp], min_frequency: float, max_categories: int | None
) -> NDArray[np.bool_]:
    """Say which categories are infrequent by their rows, as scikit-learn's OneHotEncoder does."""
    is_count = isinstance(min_frequency, Integral)
    is_infrequent = n_rows < (min_frequency if is_count else min_frequency * n_rows.sum())
    n_categories = len(n_rows) - is_infrequent.sum() + is_infrequent.any()
    if max_categories is not None and n_categories > max_categories:
        # Stable, so that of equal ones the last are kept.
        ascending = np.argsort(n_rows, kind="stable")
        is_infrequent[ascending[: len(n_rows) - (max_categories - 1)]] = True
    return is_infrequent


def find_distinct(values: list[Any], name: Any, argument: str = "X") -> dict[Any, None]:
    """Return the values that differ, in order; TypeError for some that cannot be compared."""
    try:
        return dict.fromkeys(values)
    except TypeError as error:
        raise TypeError(
            f"{argument} must have a number, a text, a boolean or nothing in each cell. Got an "
            f"{error} in column {name!r}."
        ) from error


def find_kind(values: Iterable[Any], name: Any, argument: str = "X") -> str:
    """Return what values are all of.

    Raises
    ------
    TypeError
        If they are of several kinds, or of none that is known.
    """
    examples = {_kind(value): value for value in values if not is_missing(value)}
    if len(examples) > 1:
        raise TypeError(
            f"{argument} must have values of one kind in column {name!r}. Got "
            f"{' and '.join(f'{kind}, such as {v!r}' for kind, v in examples.items())}. Make texts "
            "of all, or numbers."
        )
    kind, value = next(iter(examples.items()), (GAPS, None))
    if kind not in KINDS:
        advice = ADVICE_FOR_DATES if is_time(value) else ""
        raise TypeError(
            f"{argument} must have a number, a text, a boolean or nothing in each cell. Got "
            f"{value!r}, of {kind}, in column {name!r}.{advice}"
        )
    return kind


def floats_with_gaps(values: Iterable[Any], dtype: Any) -> Array:
    """Return numbers that are objects as floats, NaN where one is missing."""
    return np.array([np.nan if is_missing(v) else float(v) for v in values], dtype)


def is_missing(value: Any) -> bool:
    """Say whether a cell holds nothing: None, NaN, what pandas has for it, or an empty text.

    ONNX knows no other text that is missing.
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, str):
        return not value
    return isinstance(value, float | np.floating | Decimal) and bool(value != value)


def _kind(value: Any) -> str:
    if isinstance(value, str) or is_interval(value):
        return TEXTS
    if isinstance(value, bool | np.bool_):
        return BOOLEANS
    return NUMBERS if isinstance(value, Real | Decimal) else f"type {type(value).__name__}"


def _plain(value: Any) -> Any:
    """Return a value as Python's own, the same for all that are equal.

    Fractions as float32 has them: as categories, numbers are equal whatever their precision.
    """
    if isinstance(value, str):
        return str.__str__(value)  # of an enumeration too
    if is_interval(value):
        return name_value(value)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    number = float(value)
    if number.is_integer():
        return int(number)
    with np.errstate(over="ignore"):
        return float(np.float32(number))
