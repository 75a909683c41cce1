"""A user's callbacks during one training, which gives them back without its model."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from .._backend.loading import load_keras
from .stand_in import ModelStandIn, release

_MISSING = object()
_change = threading.Condition()
_threads: dict[int, int] = {}  # which use a callback, by its id


@contextlib.contextmanager
def borrow(callbacks: Iterable[Any]) -> Iterator[None]:
    """Use callbacks as they are given, for one training after the other."""
    held = list(_with_inner(callbacks, {}))
    with _alone_with(held):
        before = [_note_attributes(callback) for callback in held]
        try:
            yield
        finally:
            for callback, state in zip(held, before, strict=True):
                _put_back(callback, state)


def _with_inner(callbacks: Iterable[Any], seen: dict[int, Any]) -> Iterator[Any]:
    """Yield callbacks and those that they hold in turn, each once."""
    keras = load_keras()
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.Callback) and id(callback) not in seen:
            seen[id(callback)] = callback
            yield callback
            for value in vars(callback).values():
                inner = value if type(value) in (list, tuple) else [value]
                yield from _with_inner(inner, seen)


@contextlib.contextmanager
def _alone_with(callbacks: list[Any]) -> Iterator[None]:
    """Let trainings in other threads wait that use one of the callbacks.

    All are taken at once, since two trainings that took them one by one could wait for each other.
    """
    thread = threading.get_ident()
    with _change:
        _change.wait_for(lambda: all(_threads.get(id(c), thread) == thread for c in callbacks))
        taken = [id(c) for c in callbacks if id(c) not in _threads]
        _threads.update(dict.fromkeys(taken, thread))
    try:
        yield
    finally:
        with _change:
            for number in taken:
                del _threads[number]
            _change.notify_all()


def _note_attributes(callback: Any) -> dict[str, Any]:
    """Return attributes, and what is now in those that are lists or dicts."""
    copied = (list, dict)
    return {k: v.copy() if type(v) in copied else v for k, v in vars(callback).items()}


def _put_back(callback: Any, before: dict[str, Any]) -> None:
    """Take the training's model out of a callback, and what it opened to write files."""
    models = {k: v for k, v in vars(callback).items() if type(v) is ModelStandIn}
    for model in models.values():
        release(model)
    for name in models.keys() | _working_names(callback) | {"params"}:
        value = before.get(name, _MISSING)
        if value is not _MISSING:
            setattr(callback, name, value)
        else:
            vars(callback).pop(name, None)


def _working_names(callback: Any) -> set[str]:
    """Return the attributes of Keras' own that write files, which hold what they have open."""
    keras = load_keras()
    writers = keras.callbacks.CSVLogger, keras.callbacks.TensorBoard
    return {name for kind in writers if isinstance(callback, kind) for name in vars(kind("log"))}
