"""Objects of Keras among the parameters, as the configuration that builds them anew."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .._backend.keras_objects import KerasObject


def describe_or_fail(name: str, instance: Any) -> KerasObject:
    """Return an object's configuration, if it can be built anew from it."""
    try:
        described = KerasObject.of(instance)
        _require_buildable(described)
    except Exception as error:
        raise ValueError(
            f"{name} must be an object that its own get_config and from_config can copy. Got "
            f"{type(instance).__name__}, which failed: {error}"
        ) from error
    return described


@lru_cache(maxsize=256)
def _require_buildable(described: KerasObject) -> None:
    """Build the object; cached, because an optimizer takes 1.5 ms, a tenth of a small fit."""
    described.build()
