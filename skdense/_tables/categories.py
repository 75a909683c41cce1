"""What is known of a column of categories, and their codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .named_categories import ADVICE_FOR_DATES, is_interval, is_time, name_value

Array = NDArray[Any]

FEWEST_ROWS = 5
"""Categories of fewer training rows are one, the rare ones."""
MOST_VALUES = 10_000
"""So many categories are told apart, those of the most rows."""
NOTHING = -1
"""Code of what training had nothing like."""
KINDS = "texts", "numbers", "booleans", "gaps only"
TEXTS, NUMBERS, BOOLEANS, GAPS = KINDS


@dataclass(frozen=True, eq=False)
class Category:
    """A column of categories, each with a code: the values, then the missing, then the rare ones.

    Attributes
    ----------
    column : int
        Its number in the table.
    kind : {"texts", "numbers", "booleans", "gaps only"}
        What its values are.
    values : ndarray of object, of shape (n_values,)
        Sorted. Those of at least `FEWEST_ROWS` training rows, up to `MOST_VALUES` of them.
    has_missing, has_rare : bool
        Whether training rows had gaps, or other values than these.
    """

    column: int
    kind: str
    values: Array
    has_missing: bool
    has_rare: bool

    @property
    def n_codes(self) -> int:
        return len(self.values) + self.has_missing + self.has_rare

    @property
    def needs_integers(self) -> bool:
        """Whether float32 does not tell all values apart."""
        if self.kind != NUMBERS:
            return False
        with np.errstate(over="ignore"):
            return len(np.unique(self.values.astype(np.float32))) < len(self.values)

    @cached_property
    def _codes(self) -> dict[Any, int]:
        return {value: code for code, value in enumerate(self.values.tolist())}

    @property
    def missing_code(self) -> int:
        return len(self.values) if self.has_missing else NOTHING

    @property
    def other_code(self) -> int:
        """Of values that are rare or were never seen."""
        return self.n_codes - 1 if self.has_rare else NOTHING

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


def learn_category(column: int, values: list[Any], name: Any) -> Category:
    """Return what training rows tell of a column of categories."""
    kind = find_kind(find_distinct(values, name), name)
    present: Counter[Any] = Counter()
    has_missing = False
    for value, n_rows in Counter(values).items():
        if is_missing(value):
            has_missing = True
        else:
            present[_plain(value)] += n_rows
    common = sorted((-n, value) for value, n in present.items() if n >= FEWEST_ROWS)
    kept = sorted(value for _, value in common[:MOST_VALUES])
    array = np.empty(len(kept), object)
    array[:] = kept
    return Category(
        column=column,
        kind=kind,
        values=array,
        has_missing=has_missing,
        has_rare=len(kept) < len(present),
    )


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
