"""Columns of categories that tell a network little as they are, and what to do about them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._backend.warnings import warn_caller
from .._tables.categories import NUMBERS, TEXTS, Category, is_missing
from .._tables.encoder import TableEncoder
from .._tables.reading import Column, Table
from .._tables.semantic_types import (
    MOST_VALUES_READ,
    SemanticType,
    has_day_first,
    has_decimal_comma,
    infer_semantic_type,
    is_missing_mark,
    is_plain_number,
)

Array = NDArray[Any]

_ROWS_READ = 10_000
_COLUMNS_NAMED = 3
_CHARACTERS_SHOWN = 40
# Fewer rows that have a value at all hold nothing to learn from.
_FEWEST_ROWS = 10
# As many of the rows that have a value have an infrequent one: the column is nearly constant.
_SHARE_OF_INFREQUENT = 0.5
# As many distinct values for each row say that a category hardly comes twice: where it is no
# infrequent one, what is learned of it serves no other row. Whole numbers may be codes, and are
# many from a half on; free text, where those that repeat are accidents, from a fifth on, unless
# it is of names of a few words in a small table.
_UNIQUE = 0.9
_MANY_WHOLE_NUMBERS = 0.5
_MUCH_FREE_TEXT, _NAMES = 0.2, 100
# Numbers and dates in strings are well as categories up to so many, as sizes of shoes are: each
# has its indicator. Of more the network cannot know which are neighbours.
_MOST_LEVELS = 20


class _Advice(NamedTuple):
    looks_like: str
    what_to_do: str


class FeatureTypeWarning(UserWarning):
    """Columns of strings or categories tell a network little as they are.

    Nearly all of their values are infrequent, as those of identifiers and free text are; or they
    hold numbers or dates as strings, whose order is lost.
    """


@dataclass(frozen=True, eq=False)
class _Finding:
    """A column that tells a network little.

    Attributes
    ----------
    name
        Of the column.
    semantic_type : SemanticType
    are_strings : bool
        False for numbers that are declared categories.
    values : list
        Some distinct ones, without marks of missing values.
    """

    name: Any
    semantic_type: SemanticType
    are_strings: bool
    values: list[Any]


def warn_about_feature_types(
    table: Table, encoder: TableEncoder, sample_weight: Array | None, *, are_declared: bool
) -> None:
    """Warn once, naming columns that the encoder makes constant or nearly so, and what to do.

    A column that is constant in the data, or has no value, is no finding: encoding takes nothing
    away from it.

    Parameters
    ----------
    table : Table
        Of the training data.
    encoder : TableEncoder
        What these rows have become known by.
    sample_weight : ndarray of shape (n_rows,) or None
        The encoder knows the rows of positive weight.
    are_declared : bool
        Whether ``categorical_features`` names the categories.
    """
    rows = None if sample_weight is None else np.flatnonzero(sample_weight > 0)
    findings = []
    for category in encoder.categories:
        column = table.columns[category.column]
        if category.kind in (TEXTS, NUMBERS):
            is_declared = are_declared or column.is_category
            findings.append(_check_column(column, category, rows, is_declared=is_declared))
    found = [finding for finding in findings if finding]
    if found:
        warn_caller(_describe(found, len(table.columns)), FeatureTypeWarning)


def _check_column(
    column: Column, category: Category, rows: NDArray[np.intp] | None, *, is_declared: bool
) -> _Finding | None:
    n_rows = len(column.source) if rows is None else len(rows)
    are_few = len(category.values) <= _MOST_LEVELS <= n_rows * _MUCH_FREE_TEXT
    if are_few and not category.has_infrequent:
        return None
    counts = _count_present(column, _draw(rows, n_rows))
    distinct, n_present = list(counts), sum(counts.values())
    if n_present < _FEWEST_ROWS or len(distinct) < 2:
        return None
    n_per_row = len(distinct) / n_present
    if n_per_row >= _MUCH_FREE_TEXT and n_rows > _ROWS_READ:  # a sample has more than all rows
        counts_of_all = _count_present(column, rows)
        n_per_row = len(counts_of_all) / sum(counts_of_all.values())
    values, are_strings = distinct[:MOST_VALUES_READ], category.kind == TEXTS
    semantic_type = SemanticType.NUMBER
    if are_strings:
        semantic_type = infer_semantic_type(map(str, values), are_unique=n_per_row >= _UNIQUE)
    # Who declares categories knows that their order counts for nothing.
    has_order = semantic_type in (SemanticType.NUMBER, SemanticType.DATE) and not is_declared
    if (
        n_per_row >= _most_distinct(semantic_type, len(distinct))
        or (has_order and len(distinct) > _MOST_LEVELS)
        or _share_of_infrequent(counts, category, column.name) >= _SHARE_OF_INFREQUENT
    ):
        shown = [value for value in values if not is_missing_mark(str(value))]
        return _Finding(column.name, semantic_type, are_strings, shown or values)
    return None


def _draw(rows: NDArray[np.intp] | None, n_rows: int) -> NDArray[np.intp] | None:
    """Return some of the rows, the same for as many; at random, since rows may be periodic."""
    if n_rows <= _ROWS_READ:
        return rows
    drawn = np.sort(np.random.default_rng(0).choice(n_rows, _ROWS_READ, replace=False))
    return drawn if rows is None else rows[drawn]


def _count_present(column: Column, rows: NDArray[np.intp] | None) -> dict[Any, int]:
    """Return how many rows each value has, missing ones apart."""
    if rows is not None:
        column = replace(column, source=column.source[rows])
    counts = Counter(column.objects())
    return {value: count for value, count in counts.items() if not is_missing(value)}


def _most_distinct(semantic_type: SemanticType, n_distinct: int) -> float:
    if semantic_type is SemanticType.FREE_TEXT and n_distinct > _NAMES:
        return _MUCH_FREE_TEXT
    return _MANY_WHOLE_NUMBERS if semantic_type is SemanticType.WHOLE_NUMBER else _UNIQUE


def _share_of_infrequent(counts: dict[Any, int], category: Category, name: Any) -> float:
    if not category.has_infrequent:
        return 0.0
    is_infrequent = category.code(list(counts), name) == category.other_code
    return float(np.average(is_infrequent, weights=list(counts.values())))


def _describe(findings: list[_Finding], n_columns: int) -> str:
    groups: dict[_Advice, list[_Finding]] = {}
    for semantic_type in SemanticType:  # what is easily mended comes first
        for finding in findings:
            if finding.semantic_type is semantic_type:
                groups.setdefault(_advise(finding), []).append(finding)
    parts = [_describe_group(advice, group) for advice, group in groups.items()]
    return (
        "Columns of X should be numbers, or categories that several rows share. Got "
        f"{len(findings)} of {n_columns} column(s) that tell the network little as they are. "
        f"{' '.join(parts)}"
    )


def _describe_group(advice: _Advice, group: list[_Finding]) -> str:
    names = [repr(finding.name) for finding in group[:_COLUMNS_NAMED]]
    n_more = len(group) - _COLUMNS_NAMED
    more = f" and {n_more} more" if n_more > 0 else ""
    what_to_do = advice.what_to_do.replace(
        "[name]", f"[{names[0]}]" if len(group) == 1 else "[name]"
    )
    example = _shorten(group[0].values[0])
    return f"{advice.looks_like}: {', '.join(names)}{more}, such as {example}. {what_to_do}"


def _shorten(value: Any) -> str:
    if isinstance(value, str) and len(value) > _CHARACTERS_SHOWN:
        return repr(f"{value[:_CHARACTERS_SHOWN]}...")
    return repr(value)


def _advise(finding: _Finding) -> _Advice:
    """Return what a column looks like, and what to do, with pandas for an example."""
    if not finding.are_strings:
        return _Advice(
            "Numbers that hardly repeat",
            "Leave them out of categorical_features, or give them a numeric dtype.",
        )
    match finding.semantic_type:
        case SemanticType.NUMBER:
            return _Advice("Numbers in strings", f"Convert them by {_to_numbers(finding.values)}.")
        case SemanticType.WHOLE_NUMBER:
            return _Advice(
                "Whole numbers in strings",
                f"Convert what counts or measures by {_to_numbers(finding.values)}; drop what "
                "identifies rows.",
            )
        case SemanticType.DATE:
            return _Advice(
                "Dates in strings", f"Convert them, such as by {_to_days(finding.values)}."
            )
        case SemanticType.IDENTIFIER:
            return _Advice(
                "Identifiers or names", "Drop them, or keep the part that several rows share."
            )
        case SemanticType.FREE_TEXT:
            return _Advice(
                "Free text",
                "Drop it, or make numbers of it by TfidfVectorizer and TruncatedSVD in a "
                "ColumnTransformer.",
            )
        case _:
            return _Advice(
                "Categories of few rows each",
                "Merge their values into fewer and broader ones, or lower min_frequency.",
            )


def _to_numbers(values: list[Any]) -> str:
    """Return an expression of pandas that makes numbers of strings."""
    numbers, column = (
        [value for value in map(str, values) if any(map(str.isdigit, value))],
        "X[name]",
    )
    if has_decimal_comma(numbers):
        column += ".str.replace('.', '').str.replace(',', '.')"
    if not all(map(is_plain_number, numbers)):
        column += r".str.replace(r'[^\d.+-]', '', regex=True)"
    return f"pd.to_numeric({column}, errors='coerce')"


def _to_days(values: list[Any]) -> str:
    """Return an expression of pandas that makes days of dates, with and without a time zone."""
    order = ", dayfirst=True" if has_day_first(map(str, values)) else ""
    dates = f"pd.to_datetime(X[name], format='mixed'{order}, utc=True, errors='coerce')"
    return f"({dates} - pd.Timestamp('2000-01-01', tz='UTC')).dt.days"
