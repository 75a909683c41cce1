"""Learning rates of many steps at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._backend.keras_objects import KerasObject
from .._backend.loading import load_tensorflow


def learning_rates(rate: float | KerasObject, first_step: int, n_steps: int) -> NDArray[np.float32]:
    """Return the learning rate of each step, (n_steps,).

    In float32 whatever the training's dtype, because Keras keeps the rate in float32.
    """
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
