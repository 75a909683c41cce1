"""Initial kernels from Keras' initializers, each from a seed of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _tensorflow
from .._keras_objects import KerasObject
from .._network import Weights, initial_weights
from .batches import kernel_seeds
from .task import TrainingTask

Initializer = str | KerasObject | Callable[..., Any]


def seeded_initializer(initializer: Initializer, seed: int) -> Callable[..., Any]:
    """Return the initializer with a seed, unless it brings its own or needs none.

    Built with the seed at once: an initializer constructed without one draws it from Python's
    global random state.
    """
    _, keras = _tensorflow.load()
    if isinstance(initializer, str):
        kind = getattr(keras.initializers, initializer, None)
        kind = kind or keras.saving.get_registered_object(initializer)
        takes_seed = "seed" in inspect.signature(kind).parameters
        return kind(seed=seed) if takes_seed else kind()
    if isinstance(initializer, KerasObject):
        if "seed" in initializer.arguments and initializer.arguments["seed"] is None:
            initializer = initializer.with_arguments(seed=seed)
        return initializer.build()
    return initializer


def draw_kernel(
    initializer: Initializer,
) -> Callable[[int, tuple[int, int], str], NDArray[np.floating]]:
    """Return the function from (seed, shape, dtype) to an initial kernel."""

    def draw(seed: int, shape: tuple[int, int], dtype: str) -> NDArray[np.floating]:
        return np.asarray(seeded_initializer(initializer, seed)(shape, dtype=dtype))

    return draw


def starting_weights(task: TrainingTask) -> Weights:
    """Draw the weights that a task's training starts from."""
    initializer = draw_kernel(task.kernel_initializer)
    return initial_weights(task.network, initializer, kernel_seeds(task), task.dtype)
