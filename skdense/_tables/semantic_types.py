"""What strings stand for: numbers, dates, identifiers, free text, or categories."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from enum import Enum

MOST_VALUES_READ = 1_000
"""So many distinct values say what a column holds."""

# Of the distinct values, as many have to follow a pattern: a few cells hold a note or a mistake.
_SHARE = 0.9
# Mean words of a value from which on a column is free text. Names and addresses count as such.
_WORDS_OF_TEXT = 3.0
# So much of a long string says what it is.
_MOST_CHARACTERS = 200
# Whole numbers of one length, of at least so many digits, are codes, such as postal codes.
_DIGITS_OF_CODES = 4

_MISSING = {"", "?", "-", "--", ".", "n/a", "na", "#n/a", "nan", "null", "none", "missing"}
_MISSING |= {"unknown", "nil", "<na>"}

_CURRENCY = r"[$€£¥₹]|USD|EUR|GBP|CHF|JPY|INR"
_NUMBER = re.compile(
    rf"""
    (?:(?P<before>{_CURRENCY})\s*)?
    (?P<number>
        [+-]?
        (?:\d{{1,3}}(?:,\d{{3}})+(?:\.\d*)?       # 1,234.5
          |\d{{1,3}}(?:[ '\u00a0\u202f]\d{{3}})+(?:[.,]\d+)?  # 1 234,5
          |\d{{1,3}}(?:\.\d{{3}})+,\d+            # 1.234,5
          |\d+(?:[.,]\d*)?
          |[.,]\d+)
        (?:[eE][+-]?\d+)?
    )
    (?:\s*(?P<unit>%|{_CURRENCY}|[°µ]?[^\W\d_]{{1,8}}[²³]?(?:/[^\W\d_]{{1,8}}[²³]?)?))?
    """,
    re.VERBOSE,
)
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"\D*(\d+|\d{1,3}([. '\u00a0\u202f]\d{3})+),(\d{1,2}|\d{4,})\D*")

_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:1[5-9]|2[01])\d\d"
_NAME = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_TIME = (
    r"(?:[T ]\s*\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:[ap]m)?"
    r"\s*(?:z|utc|gmt|[+-]\d{2}:?\d{2})?)?"
)
_DATE = re.compile(
    rf"""
    (?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\ )?
    (?:{_YEAR}(?P<first>[-/.]){_MONTH}(?P=first){_DAY}
      |(?P<start>{_DAY})(?P<other>[-/.]){_DAY}(?P=other){_YEAR}
      |{_DAY}/{_DAY}/\d\d
      |{_DAY}[- ]{_NAME}[- ,]+(?:{_YEAR}|\d\d)
      |{_NAME}[- ]{_DAY},?\ {_YEAR})
    {_TIME}
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LAST_MONTH = 12


class SemanticType(Enum):
    """What strings of a column stand for.

    Whole numbers alone may be quantities or codes: nothing about the strings tells which.
    """

    NUMBER = "number"
    WHOLE_NUMBER = "whole number"
    DATE = "date"
    IDENTIFIER = "identifier"
    FREE_TEXT = "free text"
    CATEGORY = "category"


def infer_semantic_type(values: Iterable[str], *, are_unique: bool) -> SemanticType:
    """Return what distinct strings of a column stand for.

    Parameters
    ----------
    values : iterable of str
        Some `MOST_VALUES_READ` of them say enough.
    are_unique : bool
        Whether nearly every row has a value that no other row has.
    """
    stripped = [value[:_MOST_CHARACTERS].strip() for value in values]
    present = [value for value in stripped if not is_missing_mark(value)]
    if not present:
        return SemanticType.CATEGORY
    numbers = [match for value in present if (match := _NUMBER.fullmatch(value))]
    if len(numbers) >= _SHARE * len(present) and _share_a_unit(numbers):
        has_missing = len(present) < len(stripped)
        return _type_of_numbers([match[0] for match in numbers], has_missing=has_missing)
    if sum(_DATE.fullmatch(value) is not None for value in present) >= _SHARE * len(present):
        return SemanticType.DATE
    if sum(len(value.split()) for value in present) >= _WORDS_OF_TEXT * len(present):
        return SemanticType.FREE_TEXT
    return SemanticType.IDENTIFIER if are_unique else SemanticType.CATEGORY


def _share_a_unit(numbers: list[re.Match[str]]) -> bool:
    """Say whether numbers count the same; "3 weeks" and "2 years", or seats 3A and 3B, do not."""
    counts = Counter((match["before"], match["unit"]) for match in numbers)
    return max(counts.values()) >= _SHARE * len(numbers)


def _type_of_numbers(numbers: list[str], *, has_missing: bool) -> SemanticType:
    """Tell quantities from whole numbers that may be codes.

    A mark of a missing value beside whole numbers says that they are quantities: it is what
    keeps a reader of files from reading such a column as numbers. Leading zeros, and one
    length of all, say the opposite.
    """
    if not all(number.isdigit() for number in numbers):
        return SemanticType.NUMBER
    lengths = set(map(len, numbers))
    are_codes = any(number[0] == "0" and len(number) > 1 for number in numbers) or (
        len(lengths) == 1 and min(lengths) >= _DIGITS_OF_CODES
    )
    return SemanticType.NUMBER if has_missing and not are_codes else SemanticType.WHOLE_NUMBER


def is_missing_mark(value: str) -> bool:
    """Say whether a string is one that files have in place of a missing value."""
    return value.strip().lower() in _MISSING


def is_plain_number(value: str) -> bool:
    """Say whether a string is a number and nothing else, as ``float`` reads it."""
    return _PLAIN_NUMBER.fullmatch(value.strip()) is not None


def has_decimal_comma(values: Iterable[str]) -> bool:
    """Say whether numbers have a comma before their decimals, as in "1.234,5"."""
    return any(_DECIMAL_COMMA.fullmatch(value.strip()) for value in values)


def has_day_first(values: Iterable[str]) -> bool:
    """Say whether dates such as "27/05/2017" begin with their day."""
    matches = (_DATE.fullmatch(value.strip()) for value in values)
    return any(match and match["start"] and int(match["start"]) > _LAST_MONTH for match in matches)
