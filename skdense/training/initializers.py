"""Initial kernels from Keras' initializers, each from a seed of its own."""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _tensorflow
from .._network import Weights, cast_weights, initial_weights
from .task import Draw, TrainingTask

Initializer = Any  # Keras name, keras.initializers.Initializer or class of it, or a function


def seeded_initializer(initializer: Initializer, seed: int) -> Callable[..., Any]:
    """Return the initializer with a seed, unless it brings its own or needs none.

    A name is built with the seed at once: an initializer constructed without one draws it from
    Python's global random state.
    """
    _, keras = _tensorflow.load()
    kind = initializer
    if isinstance(initializer, str):
        kind = getattr(keras.initializers, initializer, None)
        kind = kind or keras.saving.get_registered_object(initializer)
    if isinstance(kind, type):
        return kind(seed=seed) if "seed" in inspect.signature(kind).parameters else kind()
    if not isinstance(initializer, keras.initializers.Initializer):
        return initializer
    copied: Callable[..., Any] = copy.deepcopy(initializer)
    if initializer.get_config().get("seed", seed) is None:
        copied.seed = seed  # type: ignore[attr-defined] # documented on RandomInitializer
    return copied


def draw_kernel(
    initializer: Initializer,
) -> Callable[[int, tuple[int, int], str], NDArray[np.floating]]:
    """Return the function from (seed, shape, dtype) to an initial kernel."""

    def draw(seed: int, shape: tuple[int, int], dtype: str) -> NDArray[np.floating]:
        kernel = np.asarray(seeded_initializer(initializer, seed)(shape, dtype=dtype))
        if kernel.shape != shape:
            raise ValueError(
                f"kernel_initializer must return an array of the shape asked for, {shape}. Got "
                f"{kernel.shape} from {initializer!r}."
            )
        return kernel

    return draw


def starting_weights(task: TrainingTask) -> Weights:
    """Return the weights that a task's training goes on from, or draw them."""
    if task.start is not None:
        return cast_weights(task.start.weights, task.dtype)
    generator = task.generator(Draw.KERNELS)
    seeds = (int(generator.integers(2**31)) for _ in itertools.count())
    return initial_weights(task.network, draw_kernel(task.kernel_initializer), seeds, task.dtype)
