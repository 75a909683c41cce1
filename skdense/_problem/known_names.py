"""Names that Keras knows, and what to say of one that it does not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def list_names(module: Any, base: type | None = None) -> list[str]:
    """Return what a module of Keras offers: subclasses of `base`, or classes and functions."""
    offered = {name: getattr(module, name) for name in dir(module) if name[0] != "_"}
    if base is None:
        skipped = {"Loss", "get", "serialize", "deserialize"}
        return sorted(n for n, value in offered.items() if callable(value) and n not in skipped)
    return sorted(
        name
        for name, kind in offered.items()
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base
    )


def name_unknown(name: str, value: Any, known: Iterable[str]) -> ValueError:
    return ValueError(
        f"{name} must be a name that Keras knows, or an object of Keras. Got {value!r}."
        f"{suggest_names(value, known)}"
    )


def suggest_names(value: Any, known: Iterable[str]) -> str:
    """Return the end of a message, with the known names that are close to a value."""
    # Of two that differ in case alone, the one in lower case, which is sorted behind.
    plain = {_as_plain(name): name for name in sorted(known)}
    close = [plain[name] for name in difflib.get_close_matches(_as_plain(value), plain, n=3)]
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


def _as_plain(name: Any) -> str:
    return str(name).lower().replace("_", "").replace("-", "")
