"""What `fit` is given."""

from __future__ import annotations

from typing import Any, NamedTuple


class Given(NamedTuple):
    """Arguments of a fit; the suffix of their names is for messages."""

    X: Any
    y: Any
    sample_weight: Any
    suffix: str = ""
