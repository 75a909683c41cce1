"""Learning rates of many steps at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._backend.keras_objects import KerasObject
from .._backend.loading import load_tensorflow

# From the share of a training that is done, in [0, 1), to the share of its learning rate. The
# cycles are coslog4 of RealMLP (arXiv 2407.04491): four, each twice as long as the one before.
SCHEDULES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "cosine": lambda done: (1 + np.cos(np.pi * done)) / 2,
    "cosine_cycles": lambda done: (1 - np.cos(2 * np.pi * np.log2(1 + 15 * done))) / 2,
}


@dataclass(frozen=True)
class NamedSchedule:
    """A learning rate that a name of `SCHEDULES` leads to 0 over some steps, and leaves there.

    Attributes
    ----------
    name : str
    rate : float
        The largest.
    first_step, n_steps : int
    """

    name: str
    rate: float
    first_step: int
    n_steps: int


Rate = float | KerasObject | NamedSchedule


def learning_rates(rate: Rate, first_step: int, n_steps: int) -> NDArray[np.float32]:
    """Return the learning rate of each step, (n_steps,).

    In float32 whatever the training's dtype, because Keras keeps the rate in float32.
    """
    if isinstance(rate, NamedSchedule):
        steps = np.arange(first_step - rate.first_step, first_step - rate.first_step + n_steps)
        done = np.minimum(steps / rate.n_steps, 1)
        return (rate.rate * SCHEDULES[rate.name](done)).astype(np.float32)
    if not isinstance(rate, KerasObject):
        return np.full(n_steps, rate, np.float32)
    tf = load_tensorflow()
    steps = tf.range(first_step, first_step + n_steps, dtype=tf.int64)
    rates: NDArray[np.float32] = _traced(rate)(steps).numpy()
    return rates


@lru_cache(maxsize=64)
def _traced(schedule: KerasObject) -> Any:
    tf = load_tensorflow()
    function = schedule.build()

    # One step at a time: schedules with a warm-up branch on their step, a scalar.
    def rates(steps: Any) -> Any:
        return tf.map_fn(
            lambda step: tf.cast(function(step), tf.float32), steps, fn_output_signature=tf.float32
        )

    steps = tf.TensorSpec([None], tf.int64)
    return tf.function(rates, autograph=False).get_concrete_function(steps)
