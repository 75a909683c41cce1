"""What plain parameters resolve to, remembered from fit to fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from types import NoneType
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_PLAIN = {str, int, float, bool, NoneType}


def remember_plain(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Remember the results of a function for arguments that are texts, numbers, booleans or None.

    The fits of a search resolve the same few values over and over, some of which take as long as
    a small training. Objects may change, and lists too, so that these are resolved every time.
    """
    remembered = lru_cache(maxsize=256, typed=True)(function)

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        named: dict[str, Any] = dict(kwargs)
        if _PLAIN.issuperset(map(type, [*args, *named.values()])):
            return remembered(*args, **named)
        return function(*args, **kwargs)

    return call
