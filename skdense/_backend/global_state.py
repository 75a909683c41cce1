"""What users set for a whole thread or process that a training cannot follow: refused by name."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import NamedTuple

from .loading import load_keras, load_tensorflow

_PRECISIONS = ("float32", "float64")


class GlobalState(NamedTuple):
    """Choices made with Keras and TensorFlow, of the present thread.

    Attributes
    ----------
    policy, floatx : str
    distribution : str or None
        The class of what spreads a training over devices.
    """

    policy: str
    floatx: str
    distribution: str | None


outer_state: ContextVar[GlobalState | None] = ContextVar("outer_state", default=None)
"""The state of the thread that has started this one; Keras and TensorFlow keep it by thread."""


def read_state() -> GlobalState:
    """Return the state of this thread."""
    keras, tf = load_keras(), load_tensorflow()
    distribution = tf.distribute.get_strategy() if tf.distribute.has_strategy() else None
    if distribution is None:
        distribution = keras.distribution.distribution()
    name = None if distribution is None else type(distribution).__name__
    return GlobalState(keras.config.dtype_policy().name, keras.config.floatx(), name)


def read_state_if_loaded() -> GlobalState | None:
    """Return the state of this thread; None where nobody can have set any yet."""
    return read_state() if {"keras", "tensorflow"} <= sys.modules.keys() else None


def require_default_state(dtype: str) -> None:
    """Raise RuntimeError where Keras or TensorFlow is set to train in another way.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        In which the network is to be trained.
    """
    for state in (read_state(), outer_state.get()):
        if state is not None:
            # By its default Keras decides nothing.
            _require_precision(state, ("float32", dtype))
            _require_one_device(state)


def require_exact_precision() -> None:
    """Raise RuntimeError where Keras is set to compute in fewer digits than a model needs."""
    _require_precision(read_state(), _PRECISIONS)


def _require_precision(state: GlobalState, policies: tuple[str, ...]) -> None:
    if state.policy in policies and state.floatx in _PRECISIONS:
        return
    name = "floatx" if state.policy in policies else "dtype policy"
    value = state.floatx if state.policy in policies else state.policy
    also = " Or set dtype='float64'." if value == "float64" else ""
    raise RuntimeError(
        "skdense computes in the precision of its parameter dtype, float32 or float64. Got Keras' "
        f"global {name} {value!r}. Call keras.config.set_floatx('float32') and "
        f"keras.config.set_dtype_policy('float32') before.{also}"
    )


def _require_one_device(state: GlobalState) -> None:
    if state.distribution is not None:
        raise RuntimeError(
            "skdense trains on one device. Got a call in the scope of "
            f"{state.distribution}, which distributes a training over several. Call it outside."
        )
