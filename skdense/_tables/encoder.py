"""The encoder of tables: columns of numbers and of categories become one matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .categories import (
    NUMBERS,
    TEXTS,
    Category,
    find_distinct,
    find_kind,
    floats_with_gaps,
    learn_category,
)
from .finite import require_finite
from .reading import Column, Table

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class TableEncoder:
    """What training rows tell of the columns of a table, and the matrix that it becomes.

    The matrix has, in the order of the table: of a column of numbers the number, with the median
    of the training rows in place of a missing one, and 1 or 0 for whether it was missing, where
    training rows had gaps; of a column of two categories -1 or 1, and the mean of the training
    rows for neither. After all of these come the codes of the other columns of categories, of
    which the network makes indicators or vectors.

    Attributes
    ----------
    fills : ndarray of shape (n_columns,)
        Medians of the columns of numbers; 0 of categories.
    has_gaps : ndarray of bool, of shape (n_columns,)
        Whether training rows of a column of numbers had gaps.
    categories : tuple of Category
        In the order of their columns.
    min_frequency : int or float
    max_categories : int or None
        What these were learned with.
    """

    fills: Array
    has_gaps: Array
    categories: tuple[Category, ...]
    min_frequency: float
    max_categories: int | None

    @property
    def n_columns(self) -> int:
        return len(self.fills)

    @cached_property
    def _numeric(self) -> NDArray[np.intp]:
        return np.setdiff1d(np.arange(self.n_columns), [own.column for own in self.categories])

    @cached_property
    def _pairs(self) -> tuple[Category, ...]:
        return tuple(own for own in self.categories if own.n_codes == 2)

    @cached_property
    def coded(self) -> tuple[Category, ...]:
        """Those categories that are codes in the matrix."""
        return tuple(own for own in self.categories if own.n_codes != 2)

    @property
    def n_plain(self) -> int:
        """Columns of the matrix that are no codes."""
        return len(self._numeric) + int(self.has_gaps.sum()) + len(self._pairs)

    @property
    def code_sizes(self) -> tuple[int, ...]:
        """How many codes each of these columns has; 1 of one that training saw nothing in."""
        return tuple(max(own.n_codes, 1) for own in self.coded)

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        return self.n_plain + len(self.coded)

    def encode(self, table: Table, dtype: str, argument: str = "X") -> Array:
        """Return the matrix of a table with the columns of training, (n_rows, width).

        `argument` is what messages call the table.
        """
        matrix = np.empty((table.n_rows, self.width), dtype)
        numeric = set(self._numeric.tolist())
        pairs = {own.column: own for own in self._pairs}
        place = 0
        for number, column in enumerate(table.columns):
            if number in numeric:
                numbers = as_numbers(column, argument)
                gaps = np.isnan(numbers)
                with np.errstate(over="ignore"):
                    matrix[:, place] = np.where(gaps, self.fills[number], numbers)
                require_finite(matrix[:, place], column.name, argument)
                place += 1
                if self.has_gaps[number]:
                    matrix[:, place] = gaps
                    place += 1
            elif number in pairs:
                pair = pairs[number]
                codes = pair.code(column.objects(), column.name, argument)
                matrix[:, place] = np.where(codes < 0, pair.mean, 2 * codes - 1)
                place += 1
        for place, category in enumerate(self.coded, start=self.n_plain):
            column = table.columns[category.column]
            matrix[:, place] = category.code(column.objects(), column.name, argument)
        return matrix


def learn_table(
    table: Table,
    sample_weight: Array | None,
    is_category: NDArray[np.bool_],
    *,
    min_frequency: float,
    max_categories: int | None,
) -> TableEncoder:
    """Return the encoder for a table.

    Parameters
    ----------
    table : Table
    sample_weight : ndarray of shape (n_rows,) or None
        Only rows of positive weight are learned from.
    is_category : ndarray of bool, of shape (n_columns,)
    min_frequency, max_categories
        As the parameters of the estimators.
    """
    rows = None if sample_weight is None else np.flatnonzero(sample_weight > 0)
    weights = None if sample_weight is None else sample_weight[rows]
    n_columns = len(table.columns)
    fills, has_gaps = np.zeros(n_columns), np.zeros(n_columns, bool)
    categories = []
    for number, column in enumerate(table.columns):
        if is_category[number]:
            values = column.objects()
            values = values if rows is None else [values[row] for row in rows.tolist()]
            category = learn_category(
                number,
                values,
                column.name,
                min_frequency=min_frequency,
                max_categories=max_categories,
                sample_weight=weights,
            )
            categories.append(category)
            continue
        numbers = as_numbers(column)
        numbers = numbers if rows is None else numbers[rows]
        gaps = np.isnan(numbers)
        has_gaps[number] = gaps.any()
        fills[number] = np.median(numbers[~gaps]) if not gaps.all() else 0
    return TableEncoder(fills, has_gaps, tuple(categories), min_frequency, max_categories)


def find_categories(table: Table, given: Any) -> NDArray[np.bool_]:
    """Say which columns are of categories.

    Parameters
    ----------
    table : Table
    given : "from_dtype", None, or array-like of bool, int or str
        The parameter `categorical_features`.

    Raises
    ------
    ValueError
        For names or numbers of no column, or a mask of another length.
    """
    columns = table.columns
    if isinstance(given, str):
        return np.array([_is_category(column) for column in columns])
    items = [] if given is None else list(given)
    mask = np.zeros(len(columns), bool)
    if items and all(isinstance(item, bool | np.bool_) for item in items):
        chosen = np.array(items, bool)
        if chosen.shape != mask.shape:
            raise ValueError(
                f"categorical_features as a mask must be of one boolean for each of {len(columns)} "
                f"columns. Got shape {chosen.shape}."
            )
        return chosen
    names = {column.name: number for number, column in enumerate(columns)}
    for one in items:
        number = names.get(one) if isinstance(one, str) else one
        if not isinstance(number, int | np.integer) or not 0 <= number < len(columns):
            raise ValueError(
                "categorical_features must be names of columns, or numbers from 0 to "
                f"{len(columns) - 1}. Got {one!r}."
            )
        mask[number] = True
    return mask


def _is_category(column: Column) -> bool:
    if column.is_numeric:
        return False
    if column.is_category:
        return True
    distinct = find_distinct(column.objects(), column.name)
    return find_kind(distinct, column.name) != NUMBERS


def as_numbers(column: Column, argument: str = "X") -> Array:
    """Return a column's numbers, NaN where they are missing.

    Raises
    ------
    ValueError
        If it holds texts, or a number that float64 does not.
    """
    if column.is_numeric:
        return column.numbers()
    values = column.objects()
    if find_kind(find_distinct(values, column.name, argument), column.name, argument) == TEXTS:
        example = next(value for value in values if isinstance(value, str))
        raise ValueError(
            f"{argument} must have numbers in column {column.name!r}, unless categorical_features "
            f"has it. Got texts, such as {example!r}."
        )
    try:
        return floats_with_gaps(values, np.float64)
    except OverflowError as error:
        raise ValueError(
            f"{argument} must have numbers that float64 holds in column {column.name!r}. Got one "
            "beyond float64. Divide the column, or make it categories of strings."
        ) from error
