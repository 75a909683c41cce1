"""What callbacks get as their model: a stand-in, behind which the real one may not exist yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._backend.loading import load_keras

# Kept by the stand-in itself: the end of training that callbacks ask for, and where Keras' own
# callbacks put the history after each epoch. Neither needs a model.
_OWN = {"stop_training": False, "history": None}


def _released() -> Any:
    raise AttributeError(
        "The model of a training exists only while that runs. Got a look at it afterwards. Use "
        "to_keras() of the fitted estimator."
    )


class ModelStandIn:
    """Passes for a Keras model, and looks everything up in the real one.

    Parameters
    ----------
    look : callable
        Returns the real model, built and up to date.
    """

    __slots__ = ("__weakref__", "_skdense_look", "_skdense_own")

    _skdense_look: Callable[[], Any]
    _skdense_own: dict[str, Any]

    def __init__(self, look: Callable[[], Any] = _released) -> None:
        object.__setattr__(self, "_skdense_look", look)
        object.__setattr__(self, "_skdense_own", dict(_OWN))

    @property  # type: ignore[misc]  # for isinstance
    def __class__(self) -> Any:
        keras = load_keras()
        return keras.Sequential

    def __getattr__(self, name: str) -> Any:
        if name in _OWN:
            return self._skdense_own[name]
        return getattr(self._skdense_look(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN:
            self._skdense_own[name] = value
        else:
            setattr(self._skdense_look(), name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._skdense_look()(*args, **kwargs)

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self._skdense_look is _released:
            return ModelStandIn, ()
        return self._skdense_look().__reduce_ex__(protocol)


def release(stand_in: ModelStandIn) -> None:
    """Let go of the real model, whoever still holds its stand-in."""
    object.__setattr__(stand_in, "_skdense_look", _released)
