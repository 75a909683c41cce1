"""Categories that are intervals, dates, periods or times, as strings.

Files, ONNX and other frame libraries hold strings: pandas' intervals become such as "(0.0, 20.0]",
which are those that ``cut`` of Polars makes, and dates such as "2020-01-31".
"""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw

# As the index of pandas' categories calls them.
_NAMED = {"interval", "datetime64", "datetime", "date", "time", "timedelta64", "timedelta"}
_NAMED |= {"period"}

ADVICE_FOR_DATES = (
    " Turn dates into numbers first, such as the days since one of them, or into strings to have "
    "categories."
)

_TIMES = {"Timestamp", "datetime", "datetime64", "date", "time", "Timedelta", "timedelta"}
_TIMES |= {"timedelta64", "Period"}


def name_categories(series: Any) -> Any:
    """Return a narwhals Series whose categories are strings, where pandas has others."""
    native = series.to_native()
    categories: Any = getattr(getattr(native, "dtype", None), "categories", None)
    if getattr(categories, "inferred_type", None) not in _NAMED:
        return series
    named = native.cat.rename_categories([name_value(value) for value in categories])
    return nw.from_native(named, series_only=True)


def name_value(value: Any) -> str:
    """Return the string that stands for an interval, a date or a time.

    The same for a date and for its midnight, as which pandas may read it.
    """
    return str(value).removesuffix(" 00:00:00")


def is_interval(value: Any) -> bool:
    """Say whether a value is an interval of pandas, which need not be installed."""
    kind = type(value)
    return kind.__name__ == "Interval" and kind.__module__.partition(".")[0] == "pandas"


def is_time(value: Any) -> bool:
    """Say whether a value is a date, a time, a span of time or a period."""
    return type(value).__name__ in _TIMES
